//! Reasons that the certificate policy controller gives: in problems of applications and bindings, in the `Denied`
//! condition of requests, and in violations of policies.

pub use idp_core::reason::shared::{
    ENVIRONMENT_AMBIGUOUS, ENVIRONMENT_MISSING, ENVIRONMENT_UNREADABLE, HOST_NOT_ALLOWED, HOST_TAKEN,
    NO_ISSUER,
};

idp_core::reasons! {
    // A CertificateBinding and the Environment.
    CERTIFICATES_NOT_ORDERED = "CertificatesNotOrdered",
        "Applications share a gateway, or have none, so the platform orders no certificates for them.",
        "List the host in spec.routes of the WebApplication; the gateway already has its certificate.";
    NOT_THE_GATEWAYS_NAMESPACE = "NotTheGatewaysNamespace",
        "The binding names another namespace than the gateway's. Nothing was changed.",
        "Do not write CertificateBindings by hand: list the host in spec.routes of a WebApplication. Only the platform team can change the Environment.";
    NOT_THE_ENVIRONMENTS_ISSUER = "NotTheEnvironmentsIssuer",
        "The binding names another issuer than the Environment's. Nothing was changed.",
        "Do not write CertificateBindings by hand: list the host in spec.routes of a WebApplication. Only the platform team can change the Environment.";
    INVALID_SECTION = "InvalidSection",
        "The certificate policy controller cannot read the request of the WebApplication controller.",
        "The versions of the controllers do not match. Check which one was deployed last.";

    // A certificate's life.
    ISSUER_NOT_RESPONDING = "IssuerNotResponding",
        "cert-manager has not processed the Certificate within a minute.",
        "Check that cert-manager is running. The certificate is then issued automatically.";
    NOT_YET_ISSUED = "NotYetIssued",
        "The first certificate has not been issued within 10 minutes. No attempt has failed.",
        "Check that cert-manager is running, and which order or challenge the issuer is waiting for.";
    NOT_ISSUED = "NotIssued",
        "The last attempt to issue the certificate failed.",
        "Read the error of the CertificateRequest. cert-manager retries automatically.";
    NOT_RENEWED = "NotRenewed",
        "The certificate is still valid, but its renewal failed.",
        "Read the error of the CertificateRequest. cert-manager retries automatically.";
    RENEWAL_OVERDUE = "RenewalOverdue",
        "The certificate is still valid, but was due for renewal more than 15 minutes ago.",
        "Check that cert-manager is running.";
    CERTIFICATE_EXPIRED = "CertificateExpired",
        "The certificate has expired, so clients reject it.",
        "Find out why it was not renewed: read its CertificateRequests.";
    NOT_ALLOWED_ANY_MORE = "NotAllowedAnyMore",
        "The certificate is still valid, but no CertificatePolicy allows it any more, so it will not be renewed.",
        "Ask the platform team to extend the CertificatePolicy, or use another host, before the certificate expires.";

    // What policies do not allow.
    NO_POLICY = "NoPolicy",
        "The cluster has no CertificatePolicy, so no certificate is allowed.",
        "Ask the platform team to apply the policies in secrets/cert-manager.";
    NAMESPACE_NOT_SELECTED = "NamespaceNotSelected",
        "No CertificatePolicy that allows the certificate selects the namespace.",
        "Ask the platform team to label the namespace, or to extend spec.namespaces of the policy.";
    ISSUER_NOT_ALLOWED = "IssuerNotAllowed",
        "No CertificatePolicy allows the issuer for this namespace.",
        "Ask the platform team to add the issuer to spec.issuers of the policy, and to the signers in the controller's ClusterRole.";
    NAME_NOT_ALLOWED = "NameNotAllowed",
        "No CertificatePolicy allows the DNS name in this namespace.",
        "Use another host, or ask the platform team to extend spec.names.dns of the policy.";
    ADDRESS_NOT_ALLOWED = "AddressNotAllowed",
        "No CertificatePolicy allows the IP address in this namespace.",
        "Request fewer addresses, or ask the platform team to extend spec.names.ips of the policy.";
    URI_NOT_ALLOWED = "UriNotAllowed",
        "No CertificatePolicy allows the URI in this namespace.",
        "Request fewer URIs, or ask the platform team to extend spec.names.uris of the policy.";
    CA_NOT_ALLOWED = "CaNotAllowed",
        "The certificate could sign other certificates: isCA, or usage cert sign or crl sign, in the spec or in the CSR.",
        "Remove isCA and these usages. A CA needs spec.allowCa in a policy for it alone.";
    KEY_NOT_ALLOWED = "KeyNotAllowed",
        "No CertificatePolicy allows the algorithm or size of the key.",
        "Use a key that spec.keys of the policy allows.";
    USAGE_NOT_ALLOWED = "UsageNotAllowed",
        "No CertificatePolicy allows a usage of the certificate.",
        "Remove the usage, or ask the platform team to extend spec.usages of the policy.";
    LIFETIME_NOT_ALLOWED = "LifetimeNotAllowed",
        "The certificate's lifetime is outside the bounds of the CertificatePolicy.",
        "Use a duration within spec.lifetime of the policy.";
    RENEWAL_NOT_ALLOWED = "RenewalNotAllowed",
        "The certificate's renewBefore is outside the bounds of the CertificatePolicy.",
        "Use a renewBefore within spec.renewBefore of the policy.";
    SECRET_NAME_NOT_ALLOWED = "SecretNameNotAllowed",
        "The Secret's name does not match the CertificatePolicy: cert-manager could overwrite a Secret that holds something else.",
        "Use another secretName, or ask the platform team to extend spec.secretNames of the policy.";
    SECRET_TAKEN = "SecretTaken",
        "An older Certificate writes to the same Secret.",
        "Use another secretName.";

    // What no policy can allow.
    COMMON_NAME_NOT_LISTED = "CommonNameNotListed",
        "The common name is not one of the subject alternative names.",
        "Add it to dnsNames, or remove it.";
    SUBJECT_NOT_ALLOWED = "SubjectNotAllowed",
        "Only the common name is allowed in the subject; other attributes could be read as groups.",
        "Remove subject and literalSubject.";
    NAME_KIND_NOT_ALLOWED = "NameKindNotAllowed",
        "Only DNS names, IP addresses and URIs are allowed as subject alternative names.",
        "Remove email addresses and other names.";
    NAME_MALFORMED = "NameMalformed",
        "A name is not a valid DNS name, IP address or URI.",
        "Correct the name that the message shows.";
    NO_NAME = "NoName",
        "The certificate has no DNS name, IP address or URI.",
        "Add at least one.";
    TOO_MANY_NAMES = "TooManyNames",
        "The certificate has more than 100 names.",
        "Split it into several certificates.";
    EXTENSION_NOT_ALLOWED = "ExtensionNotAllowed",
        "The CSR requests an extension that no CertificatePolicy can allow.",
        "Create the CSR without it.";
    KEY_MALFORMED = "KeyMalformed",
        "The key is not RSA, ECDSA on P-256, P-384 or P-521, or Ed25519, or it is too weak to protect anything.",
        "Use another key.";
    REQUEST_MALFORMED = "RequestMalformed",
        "The request cannot be parsed, or two parsers could read it differently.",
        "Create the CSR with another tool. If this was no mistake, find out who created the request.";
    REQUEST_TOO_LARGE = "RequestTooLarge",
        "The request has more than 64 KiB.",
        "Create a smaller CSR.";

    // A CertificatePolicy itself.
    INVALID_ENTRY = "InvalidEntry",
        "An entry of the CertificatePolicy is not valid. It allows nothing.",
        "Correct or remove the entry.";
}

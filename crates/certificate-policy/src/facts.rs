//! Facts: what the caches keep of each object.

use idp_api::{
    environment::{CertificateDefaults, GatewayPolicy, HostPolicy},
    kinds,
};
use idp_core::{labels, names::host_terms};
use kube::{ResourceExt, core::DynamicObject};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    certificate_request::{
        requirements::{Issuer, Rejection, Requirements},
        requirements_from_spec,
        types::{APPROVED, CertificateRequestSpec, CertificateRequestStatus, DENIED},
    },
    controller_names,
    reasons::REQUEST_MALFORMED,
};

/// Facts of a Certificate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateFacts {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.creationTimestamp`.
    pub created: String,
    /// The CertificateBinding that it names as its owner, as `namespace/name`.
    pub owner: Option<String>,
    /// UID of that binding.
    pub owner_uid: Option<String>,
    /// The issuer.
    pub issuer: Issuer,
    /// The Secret that it is written to.
    pub secret: String,
    /// Its requirements.
    pub requirements: Option<Requirements>,
    /// Why it has none.
    pub rejection: Option<Rejection>,
    /// Whether the Secret holds the certificate that the spec describes.
    pub ready: bool,
    /// Why the last attempt to issue it failed, from the `Issuing` condition.
    pub failure: Option<IssueFailure>,
    /// Whether cert-manager has processed it.
    pub processed: bool,
    /// How often it has been issued.
    pub revision: Option<i64>,
    /// When the certificate expires.
    pub not_after: Option<String>,
    /// When it is due for renewal.
    pub renewal_time: Option<String>,
}

impl CertificateFacts {
    /// Whether it has been issued at least once. cert-manager sets `Ready` shortly before it sets the revision.
    pub fn is_issued(&self) -> bool {
        self.ready || self.revision.is_some()
    }
}

/// Why an attempt to issue a certificate failed, as cert-manager reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueFailure {
    /// One word in CamelCase.
    pub reason: String,
    /// The error of cert-manager or of the issuer.
    pub message: String,
}

/// Facts of a CertificateRequest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestFacts {
    /// UID of the Certificate that owns it.
    pub certificate_uid: Option<String>,
    /// Name of that Certificate.
    pub certificate: Option<String>,
    /// The issuer.
    pub issuer: Issuer,
    /// Whether an approver has approved it.
    pub approved: bool,
    /// Whether an approver has denied it.
    pub denied: bool,
    /// Its requirements.
    pub requirements: Option<Requirements>,
    /// Why it has none.
    pub rejection: Option<Rejection>,
}

/// Reads the facts of a Certificate.
pub fn certificate(object: &DynamicObject) -> Value {
    let spec = requirements_from_spec::CertificateSpec::deserialize(&object.data["spec"]);
    let status = &object.data["status"];
    let condition = |type_: &str| {
        let conditions = status["conditions"].as_array();
        conditions
            .into_iter()
            .flatten()
            .find(|condition| condition["type"] == type_)
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (owner, owner_uid) = owner(object).unzip();
    let mut facts = CertificateFacts {
        uid: object.uid().unwrap_or_default(),
        created: object
            .creation_timestamp()
            .map(|time| time.0.to_string())
            .unwrap_or_default(),
        owner,
        owner_uid,
        ready: condition("Ready").is_some_and(|ready| {
            ready["status"] == "True" && ready["observedGeneration"].as_i64() >= object.metadata.generation
        }),
        failure: condition("Issuing")
            .filter(|issuing| issuing["status"] == "False")
            .map(|issuing| IssueFailure {
                reason: issuing["reason"].as_str().unwrap_or("Failed").to_owned(),
                message: issuing["message"].as_str().unwrap_or_default().to_owned(),
            }),
        processed: status["conditions"].is_array(),
        revision: status["revision"].as_i64(),
        not_after: text(&status["notAfter"]),
        renewal_time: text(&status["renewalTime"]),
        ..CertificateFacts::default()
    };
    match spec {
        Ok(spec) => {
            facts.issuer = spec.issuer();
            facts.secret = spec.secret_name().to_owned();
            (facts.requirements, facts.rejection) = split(spec.requirements());
        }
        Err(error) => facts.rejection = Some(malformed(&error)),
    }
    json!(facts)
}

/// The binding that a Certificate names as its owner, as `namespace/name`, and its UID: by owner reference in the binding's
/// namespace, by our labels in others.
fn owner(object: &DynamicObject) -> Option<(String, String)> {
    let references = object.owner_references().iter();
    let mut controllers = references.filter(|owner| owner.controller == Some(true));
    if let Some(owner) = controllers.next() {
        let is_binding = owner.kind == kinds::CERTIFICATE_BINDING.kind
            && owner.api_version == kinds::CERTIFICATE_BINDING.api_version();
        let name = format!("{}/{}", object.namespace().unwrap_or_default(), owner.name);
        return is_binding.then(|| (name, owner.uid.clone()));
    }
    if object.labels().get(labels::MANAGED_BY).map(String::as_str) != Some(controller_names::NAME) {
        return None;
    }
    let owner = object.annotations().get(labels::OWNER)?;
    Some((owner.clone(), object.labels().get(labels::OWNER_UID)?.clone()))
}

/// Facts of a CertificateBinding: UID and `secretNamespace`, which prove that a Certificate belongs to it.
pub fn binding(object: &DynamicObject) -> Value {
    json!([object.uid(), object.data["spec"]["secretNamespace"]])
}

/// Index terms of a Certificate: the Secret that it writes to.
pub fn certificate_terms(object: &DynamicObject) -> Vec<String> {
    let secret = object.data["spec"]["secretName"].as_str();
    let namespace = object.namespace().unwrap_or_default();
    secret
        .map(|secret| secret_term(&namespace, secret))
        .into_iter()
        .collect()
}

/// Index term of a Secret.
pub fn secret_term(namespace: &str, secret: &str) -> String {
    format!("{namespace}/{secret}")
}

/// Index terms of a CertificateRequest: the UID of its Certificate.
pub fn request_terms(object: &DynamicObject) -> Vec<String> {
    let owners = object.owner_references().iter();
    owners.map(|owner| owner.uid.clone()).collect()
}

/// Reads the facts of a CertificateRequest.
pub fn request(object: &DynamicObject) -> Value {
    let status = CertificateRequestStatus::deserialize(&object.data["status"]).unwrap_or_default();
    let owner = object
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true) && owner.kind == "Certificate");
    let mut facts = RequestFacts {
        certificate_uid: owner.map(|owner| owner.uid.clone()),
        certificate: owner.map(|owner| owner.name.clone()),
        approved: status.is(APPROVED),
        denied: status.is(DENIED),
        ..RequestFacts::default()
    };
    match CertificateRequestSpec::deserialize(&object.data["spec"]) {
        Ok(spec) => {
            facts.issuer = spec.issuer_ref.clone().completed();
            (facts.requirements, facts.rejection) = split(requirements_from_spec::of_request(&spec));
        }
        Err(error) => facts.rejection = Some(malformed(&error)),
    }
    json!(facts)
}

/// Facts of a Namespace: its labels.
pub fn namespace(object: &DynamicObject) -> Value {
    json!(object.labels())
}

/// Facts of an Environment: its settings for certificates, or the error if they cannot be parsed.
pub fn environment(object: &DynamicObject) -> Value {
    json!(EnvironmentFacts::read(&object.data["spec"]).map_err(|error| error.to_string()))
}

/// An Environment's settings for certificates and hosts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvironmentFacts {
    /// The issuer of the certificates of routes.
    pub certificates: Option<CertificateDefaults>,
    /// Base domain of the applications' hosts.
    pub base_domain: String,
    /// Which hosts namespaces may use.
    pub hosts: HostPolicy,
    /// The gateway: its namespace, and whether applications share it.
    pub gateway: GatewayPolicy,
}

impl EnvironmentFacts {
    /// Reads the `spec` of an Environment, and ignores all other fields.
    ///
    /// # Errors
    /// When one of these fields does not match the CRD.
    pub fn read(spec: &Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(spec)
    }

    /// The issuer, if it has one.
    pub fn issuer(&self) -> Option<Issuer> {
        self.certificates.as_ref().map(Issuer::from)
    }
}

/// Parses the facts that [`environment`] wrote.
///
/// # Errors
/// Why the Environment cannot be read.
pub fn environment_facts(facts: &Value) -> Result<EnvironmentFacts, String> {
    Result::deserialize(facts).unwrap_or_else(|error| Err(error.to_string()))
}

/// Facts of a VirtualService: the hosts that it serves at a gateway, and since when. One that is bound to the mesh alone
/// serves none.
pub fn virtual_service(object: &DynamicObject) -> Value {
    let spec = &object.data["spec"];
    let gateways = spec["gateways"].as_array().into_iter().flatten();
    let at_a_gateway = gateways.into_iter().any(|gateway| gateway != "mesh");
    let hosts = spec["hosts"].as_array().into_iter().flatten();
    let hosts: Vec<&Value> = hosts.filter(|host| host.is_string() && at_a_gateway).collect();
    let since = object.creation_timestamp().map(|time| time.0.to_string());
    json!({"hosts": hosts, "since": since.unwrap_or_default()})
}

/// Index terms of a VirtualService: everything that overlaps with its hosts.
pub fn virtual_service_terms(object: &DynamicObject) -> Vec<String> {
    let facts = virtual_service(object);
    host_terms(
        facts["hosts"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str),
    )
}

/// Parses facts that this module created from the same type: they always parse, and `None` means that there are none. An
/// Environment, whose facts are its spec, is read by [`environment_facts`], which returns the error.
pub fn parse<T: DeserializeOwned>(facts: &Value) -> Option<T> {
    T::deserialize(facts).ok()
}

fn malformed(error: &serde_json::Error) -> Rejection {
    Rejection::new(REQUEST_MALFORMED, format!("The spec cannot be parsed: {error}."))
}

fn split(requirements: Result<Requirements, Rejection>) -> (Option<Requirements>, Option<Rejection>) {
    match requirements {
        Ok(requirements) => (Some(requirements), None),
        Err(rejection) => (None, Some(rejection)),
    }
}

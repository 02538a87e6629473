//! Whose a Certificate in the gateway's namespace is.

use idp_api::CertificateBinding;
use kube::ResourceExt;

use crate::{content::Names, facts::CertificateFacts, secret};

/// Whether `certificate`, in `namespace`, is one that `binding` wants: then the binding's namespace is who asks for it,
/// and not the gateway's.
///
/// Labels and annotations are not enough, because whoever may create Certificates beside the gateway can write them:
/// what is asked for must be a host that the binding names, in the Secret that follows from it. So the most that a
/// forger gets is the very certificate that the binding has already.
pub fn is_wanted(
    binding: &CertificateBinding,
    certificate: &CertificateFacts,
    namespace: &str,
    names: &Names,
) -> bool {
    let listed = |name: &String| binding.spec.hosts.iter().any(|bound| &bound.host == name);
    let owner = format!(
        "{}/{}",
        binding.namespace().unwrap_or_default(),
        binding.name_any()
    );
    certificate.owner_uid == binding.uid()
        && certificate.owner.as_ref() == Some(&owner)
        && binding.spec.secret_namespace == namespace
        && names.ips.is_empty()
        && names.uris.is_empty()
        && names.dns.len() == 1
        && names
            .dns
            .iter()
            .all(|name| listed(name) && secret::name(name) == certificate.secret)
}

/// The binding that a Certificate's labels name, as namespace and name.
pub fn owner(certificate: &CertificateFacts) -> Option<(&str, &str)> {
    certificate.owner.as_deref()?.split_once('/')
}

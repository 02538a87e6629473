//! Whose a Certificate in the gateway's namespace is.

use idp_api::CertificateBinding;
use kube::ResourceExt;

use crate::{certificate_request::requirements::Names, environment::Terms, facts::CertificateFacts, secret};

/// Whether `certificate`, in `namespace`, is one that `binding` wants: then the binding's namespace is who asks for it,
/// and not the gateway's.
///
/// Labels and annotations are not enough, because whoever may create Certificates beside the gateway can write them:
/// what is asked for must be a host that the binding names, in the Secret that follows from it. So the most that a
/// forger gets is the very certificate that the binding has already. And the binding itself counts only as the Environment
/// says: anybody may have written it.
pub fn is_wanted(
    binding: &CertificateBinding,
    certificate: &CertificateFacts,
    namespace: &str,
    names: &Names,
    terms: &Terms,
) -> bool {
    let listed = |name: &String| binding.spec.hosts.iter().any(|bound| &bound.host == name);
    let owner = format!(
        "{}/{}",
        binding.namespace().unwrap_or_default(),
        binding.name_any()
    );
    certificate.owner_uid == binding.uid()
        && certificate.owner.as_ref() == Some(&owner)
        && terms.allow(binding, &certificate.issuer)
        && terms.gateway == namespace
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

#[cfg(test)]
mod tests {
    use idp_api::{CertificateBindingSpec, certificate_binding::BoundHost};

    use super::*;
    use crate::certificate_request::requirements::Issuer;

    #[test]
    fn labels_alone_make_nobody_the_owner() {
        let spec = CertificateBindingSpec {
            secret_namespace: "istio-system".into(),
            hosts: vec![BoundHost {
                host: "a.b".into(),
                path: String::new(),
            }],
            ..CertificateBindingSpec::default()
        };
        let mut binding = CertificateBinding::new("shop", spec);
        binding.metadata.namespace = Some("shops".into());
        binding.metadata.uid = Some("u1".into());
        let certificate = CertificateFacts {
            owner: Some("shops/shop".into()),
            owner_uid: Some("u1".into()),
            secret: secret::name("a.b"),
            ..CertificateFacts::default()
        };
        let terms = Terms {
            gateway: "istio-system".into(),
            issuer: Some(Issuer::default()),
            ..Terms::default()
        };
        let names = |dns: &[&str]| {
            let mut names = Names::default();
            dns.iter().for_each(|name| names.add_dns(name).unwrap());
            names
        };
        let wanted = |certificate: &CertificateFacts, namespace: &str, names: &Names| {
            is_wanted(&binding, certificate, namespace, names, &terms)
        };
        assert!(wanted(&certificate, "istio-system", &names(&["a.b"])));
        assert!(!wanted(&certificate, "elsewhere", &names(&["a.b"])));
        assert!(!wanted(&certificate, "istio-system", &names(&["a.b", "c.d"])));
        assert!(!wanted(&certificate, "istio-system", &names(&["c.d"])));
        let mut with_address = names(&["a.b"]);
        with_address.add_ip([10, 0, 0, 1].into());
        assert!(!wanted(&certificate, "istio-system", &with_address));
        let changed = |change: fn(&mut CertificateFacts)| {
            let mut changed = certificate.clone();
            change(&mut changed);
            wanted(&changed, "istio-system", &names(&["a.b"]))
        };
        assert!(!changed(|facts| facts.owner_uid = Some("u2".into())));
        assert!(!changed(|facts| facts.owner_uid = None));
        assert!(!changed(|facts| facts.owner = Some("other/shop".into())));
        assert!(!changed(|facts| facts.secret = "other-tls".into()));
        assert!(!changed(|facts| facts.issuer.name = "other".into()));
        let mut elsewhere = binding.clone();
        elsewhere.spec.secret_namespace = "shops".into();
        assert!(!is_wanted(
            &elsewhere,
            &certificate,
            "shops",
            &names(&["a.b"]),
            &terms
        ));
    }
}

//! Which CertificateBinding owns a Certificate in the gateway's namespace.

use idp_api::CertificateBinding;
use kube::ResourceExt;

use crate::{
    certificate_request::requirements::Names, environment::EnvironmentSettings, facts::CertificateFacts,
    secret,
};

/// Whether `certificate`, in `namespace`, belongs to `binding`. Then the requester is the binding's namespace, not the
/// gateway's.
///
/// Labels and annotations are not enough, because any user who can create Certificates in the gateway's namespace can
/// write them. The requested name must be a host of the binding, in the Secret derived from that host, so a forger gets
/// no more than the certificate that the binding already has. The binding counts only if it follows the Environment,
/// because a tenant may have written it.
pub fn belongs_to(
    binding: &CertificateBinding,
    certificate: &CertificateFacts,
    namespace: &str,
    names: &Names,
    settings: &EnvironmentSettings,
) -> bool {
    let listed = |name: &String| binding.spec.hosts.iter().any(|bound| &bound.host == name);
    let owner = format!(
        "{}/{}",
        binding.namespace().unwrap_or_default(),
        binding.name_any()
    );
    certificate.owner_uid == binding.uid()
        && certificate.owner.as_ref() == Some(&owner)
        && settings.allows(binding, &certificate.issuer)
        && settings.gateway == namespace
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
    fn labels_alone_do_not_prove_ownership() {
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
        let settings = EnvironmentSettings {
            gateway: "istio-system".into(),
            issuer: Some(Issuer::default()),
            ..EnvironmentSettings::default()
        };
        let names = |dns: &[&str]| {
            let mut names = Names::default();
            dns.iter().for_each(|name| names.add_dns(name).unwrap());
            names
        };
        let belongs = |certificate: &CertificateFacts, namespace: &str, names: &Names| {
            belongs_to(&binding, certificate, namespace, names, &settings)
        };
        assert!(belongs(&certificate, "istio-system", &names(&["a.b"])));
        assert!(!belongs(&certificate, "elsewhere", &names(&["a.b"])));
        assert!(!belongs(&certificate, "istio-system", &names(&["a.b", "c.d"])));
        assert!(!belongs(&certificate, "istio-system", &names(&["c.d"])));
        let mut with_address = names(&["a.b"]);
        with_address.add_ip([10, 0, 0, 1].into());
        assert!(!belongs(&certificate, "istio-system", &with_address));
        let changed = |change: fn(&mut CertificateFacts)| {
            let mut changed = certificate.clone();
            change(&mut changed);
            belongs(&changed, "istio-system", &names(&["a.b"]))
        };
        assert!(!changed(|facts| facts.owner_uid = Some("u2".into())));
        assert!(!changed(|facts| facts.owner_uid = None));
        assert!(!changed(|facts| facts.owner = Some("other/shop".into())));
        assert!(!changed(|facts| facts.secret = "other-tls".into()));
        assert!(!changed(|facts| facts.issuer.name = "other".into()));
        let mut elsewhere = binding.clone();
        elsewhere.spec.secret_namespace = "shops".into();
        assert!(!belongs_to(
            &elsewhere,
            &certificate,
            "shops",
            &names(&["a.b"]),
            &settings
        ));
    }
}

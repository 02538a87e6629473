//! Claims on hosts: the first object to claim a host holds it.

use std::{fmt, sync::Arc};

use idp_api::{CertificateBinding, kinds::CERTIFICATE_BINDING};
use idp_core::ObjectKey;
use idp_core::names::{is_everybodys, overlap, overlap_terms};
use idp_runtime::View;
use kube::ResourceExt;
use serde_json::Value;

use crate::{
    certificate_request::requirements::Issuer,
    environment::EnvironmentSettings,
    kinds::VIRTUAL_SERVICE,
    rules::{self, Policy},
    secret,
    shared_cache::{self, SharedCache},
};

/// A claim on a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostClaim {
    /// Whether a binding makes it that does not have the host's Certificate yet.
    pub waits: bool,
    /// When the claiming object was created, in RFC 3339.
    pub since: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
}

/// The object that holds a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace and name.
    pub key: ObjectKey,
}

impl Holder {
    /// A binding as holder.
    pub fn binding(key: ObjectKey) -> Self {
        let kind = CERTIFICATE_BINDING.kind;
        Self { kind, key }
    }

    /// Whether it is this binding.
    fn is(&self, own: &ObjectKey) -> bool {
        self.kind == CERTIFICATE_BINDING.kind && self.key == *own
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.key)
    }
}

impl From<HostClaim> for Holder {
    fn from(claim: HostClaim) -> Self {
        Self {
            kind: claim.kind,
            key: ObjectKey::new(claim.namespace, claim.name),
        }
    }
}

/// The claim that wins: of the object that has the Certificate or already serves the host; else the oldest; of two of the
/// same second, the first by namespace and name.
pub fn winner(claims: impl IntoIterator<Item = HostClaim>) -> Option<HostClaim> {
    claims.into_iter().min()
}

/// What claims on hosts are computed from.
pub(crate) struct HostClaims<'a> {
    /// The Environment's settings, if there is one Environment.
    pub(crate) settings: Option<&'a EnvironmentSettings>,
    /// All policies.
    pub(crate) policies: &'a [Policy],
    /// All bindings.
    pub(crate) bindings: &'a View<CertificateBinding>,
    /// Namespaces, Certificates and VirtualServices.
    pub(crate) shared: &'a SharedCache,
}

impl HostClaims<'_> {
    /// All claims on `host`: of bindings, whatever their `secretNamespace`, and of VirtualServices, whoever created them.
    pub(crate) fn on(&self, host: &str) -> Vec<HostClaim> {
        let mut claims = Vec::new();
        for term in overlap_terms(host) {
            let bindings = self.bindings.resources_by(&term);
            claims.extend(
                bindings
                    .iter()
                    .filter_map(|binding| self.of_binding(host, binding)),
            );
        }
        for term in overlap_terms(host) {
            let routed = self.shared.facts_by(VIRTUAL_SERVICE, &term);
            claims.extend(
                routed
                    .iter()
                    .filter_map(|(key, facts)| self.of_virtual_service(host, key, facts)),
            );
        }
        claims
    }

    /// The binding or VirtualService that holds `host`, unless it is the binding `own` or a VirtualService of its namespace:
    /// the WebApplication controller keeps hosts of one namespace apart.
    pub(crate) fn holder(&self, host: &str, own: &ObjectKey) -> Option<Holder> {
        let claims = self.on(host).into_iter();
        let others =
            claims.filter(|claim| claim.kind != VIRTUAL_SERVICE.kind || claim.namespace != own.namespace);
        let holder = Holder::from(winner(others)?);
        (!holder.is(own)).then_some(holder)
    }

    /// The object in another namespace that holds `host`.
    pub(crate) fn holder_outside(&self, host: &str, namespace: &str) -> Option<Holder> {
        let winner = winner(self.on(host))?;
        (winner.namespace != namespace).then(|| winner.into())
    }

    /// A binding's claim. A binding that is not allowed to use the host counts only if it already has the Certificate, or a
    /// tenant could block hosts that it cannot use.
    fn of_binding(&self, host: &str, binding: &Arc<CertificateBinding>) -> Option<HostClaim> {
        let settings = self.settings?;
        let mut hosts = binding.spec.hosts.iter().map(|bound| bound.host.as_str());
        let named = hosts.find(|named| overlap(named, host))?;
        let secret = secret::name(named);
        let namespace = binding.namespace().unwrap_or_default();
        let issuer = Issuer::from(&binding.spec.issuer);
        let has = || {
            let certificate = shared_cache::certificate(&settings.gateway, &secret, self.shared)?;
            (binding.uid().is_some() && certificate.owner_uid == binding.uid()).then_some(())
        };
        let holds = binding.spec.secret_namespace == settings.gateway && has().is_some();
        let allowed = || {
            let requester = shared_cache::requester(&namespace, self.shared)
                .filter(|requester| settings.allows_host(named, requester))?;
            rules::plan(self.policies, &requester, &issuer, named, &secret).ok()
        };
        let counts = holds || (settings.allows(binding, &issuer) && allowed().is_some());
        counts.then(|| HostClaim {
            waits: !holds,
            since: binding
                .creation_timestamp()
                .map(|time| time.0.to_string())
                .unwrap_or_default(),
            name: binding.name_any(),
            namespace,
            kind: CERTIFICATE_BINDING.kind,
        })
    }

    /// A VirtualService's claim. One for every host, or for all below the base domain, claims none: the platform uses it as
    /// the default backend.
    fn of_virtual_service(&self, host: &str, key: &ObjectKey, facts: &Value) -> Option<HostClaim> {
        let base = self.settings.map_or("", |settings| settings.base_domain.as_str());
        let hosts = facts["hosts"].as_array().into_iter().flatten();
        hosts
            .filter_map(Value::as_str)
            .any(|named| overlap(named, host) && !(named.starts_with('*') && is_everybodys(named, base)))
            .then(|| HostClaim {
                waits: false,
                since: facts["since"].as_str().unwrap_or_default().to_owned(),
                namespace: key.namespace.clone(),
                name: key.name.clone(),
                kind: VIRTUAL_SERVICE.kind,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_claim_wins() {
        let claim = |waits: bool, since: &str, name: &str| HostClaim {
            waits,
            since: since.into(),
            namespace: "a".into(),
            name: name.into(),
            kind: "CertificateBinding",
        };
        let old = claim(true, "2026-01-01T00:00:00Z", "old");
        let holder = claim(false, "2026-03-01T00:00:00Z", "holder");
        let young = claim(true, "2026-02-01T00:00:00Z", "young");
        assert_eq!(winner([old.clone(), holder.clone(), young.clone()]), Some(holder));
        assert_eq!(winner([young.clone(), old.clone()]), Some(old));
        assert_eq!(
            winner([young.clone(), claim(true, &young.since, "zz")]),
            Some(young)
        );
        assert_eq!(winner([]), None);
    }
}

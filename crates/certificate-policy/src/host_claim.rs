//! Who holds a host: the first to hold it keeps it.

use std::{fmt, sync::Arc};

use idp_api::{CertificateBinding, kinds::CERTIFICATE_BINDING};
use idp_core::names::{is_everybodys, overlap, overlap_terms};
use idp_runtime::{ObjectKey, View};
use kube::ResourceExt;
use serde_json::Value;

use crate::{
    certificate_request::requirements::Issuer,
    environment::Terms,
    kinds::VIRTUAL_SERVICE,
    rules::{self, Policy},
    secret,
    shared_cache::{self, Shared},
};

/// A claim on a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// Whether it is a binding's that lacks the Certificate of the host.
    pub waits: bool,
    /// When the object was made, in RFC 3339.
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

impl From<Claim> for Holder {
    fn from(claim: Claim) -> Self {
        Self {
            kind: claim.kind,
            key: ObjectKey::new(claim.namespace, claim.name),
        }
    }
}

/// The claim that counts: of whoever has the Certificate, or answers for the host already; else the oldest; of two of
/// the same second, the first by namespace and name.
pub fn first(claims: impl IntoIterator<Item = Claim>) -> Option<Claim> {
    claims.into_iter().min()
}

/// Everything that tells who holds a host.
pub(crate) struct Register<'a> {
    /// What the Environment says, where there is one.
    pub(crate) terms: Option<&'a Terms>,
    /// All policies.
    pub(crate) policies: &'a [Policy],
    /// All bindings.
    pub(crate) bindings: &'a View<CertificateBinding>,
    /// Namespaces, Certificates and VirtualServices.
    pub(crate) shared: &'a Shared,
}

impl Register<'_> {
    /// All claims on `host`, of bindings wherever they want the Secret, and of VirtualServices, whoever made them.
    pub(crate) fn claims(&self, host: &str) -> Vec<Claim> {
        let mut claims = Vec::new();
        for term in overlap_terms(host) {
            let bindings = self.bindings.resources_by(&term);
            claims.extend(bindings.iter().filter_map(|binding| self.claim(host, binding)));
        }
        for term in overlap_terms(host) {
            let routed = self.shared.facts_by(VIRTUAL_SERVICE, &term);
            claims.extend(
                routed
                    .iter()
                    .filter_map(|(key, facts)| self.routed(host, key, facts)),
            );
        }
        claims
    }

    /// The binding or VirtualService that holds `host`, unless it is the binding `own`, or routes of its own namespace,
    /// whose applications keep each other's hosts apart.
    pub(crate) fn holder(&self, host: &str, own: &ObjectKey) -> Option<Holder> {
        let claims = self.claims(host).into_iter();
        let others =
            claims.filter(|claim| claim.kind != VIRTUAL_SERVICE.kind || claim.namespace != own.namespace);
        let holder = Holder::from(first(others)?);
        (!holder.is(own)).then_some(holder)
    }

    /// Whoever holds `host` in another namespace than this one.
    pub(crate) fn elsewhere(&self, host: &str, namespace: &str) -> Option<Holder> {
        let first = first(self.claims(host))?;
        (first.namespace != namespace).then(|| first.into())
    }

    /// A binding's claim. One that may not have the host counts only with its Certificate beside the gateway: whoever
    /// may not have a host must not keep others from it.
    fn claim(&self, host: &str, binding: &Arc<CertificateBinding>) -> Option<Claim> {
        let terms = self.terms?;
        let mut hosts = binding.spec.hosts.iter().map(|bound| bound.host.as_str());
        let named = hosts.find(|named| overlap(named, host))?;
        let secret = secret::name(named);
        let namespace = binding.namespace().unwrap_or_default();
        let issuer = issuer(binding);
        let has = || {
            let certificate = shared_cache::certificate(&terms.gateway, &secret, self.shared)?;
            (binding.uid().is_some() && certificate.owner_uid == binding.uid()).then_some(())
        };
        let holds = binding.spec.secret_namespace == terms.gateway && has().is_some();
        let allowed = || {
            let asker =
                shared_cache::asker(&namespace, self.shared).filter(|asker| terms.gives(named, asker))?;
            rules::plan(self.policies, &asker, &issuer, named, &secret).ok()
        };
        let counts = holds || (terms.allow(binding, &issuer) && allowed().is_some());
        counts.then(|| Claim {
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

    /// A VirtualService's claim. One for every host, or for all below the base domain, is the platform's way to answer
    /// for what is nobody's.
    fn routed(&self, host: &str, key: &ObjectKey, facts: &Value) -> Option<Claim> {
        let base = self.terms.map_or("", |terms| terms.base_domain.as_str());
        let hosts = facts["hosts"].as_array().into_iter().flatten();
        hosts
            .filter_map(Value::as_str)
            .any(|named| overlap(named, host) && !(named.starts_with('*') && is_everybodys(named, base)))
            .then(|| Claim {
                waits: false,
                since: facts["since"].as_str().unwrap_or_default().to_owned(),
                namespace: key.namespace.clone(),
                name: key.name.clone(),
                kind: VIRTUAL_SERVICE.kind,
            })
    }
}

/// The issuer that a binding names.
pub(crate) fn issuer(binding: &CertificateBinding) -> Issuer {
    let wanted = &binding.spec.issuer;
    Issuer {
        name: wanted.name.clone(),
        kind: wanted.kind.clone(),
        group: String::new(),
    }
    .completed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_claim_counts() {
        let claim = |waits: bool, since: &str, name: &str| Claim {
            waits,
            since: since.into(),
            namespace: "a".into(),
            name: name.into(),
            kind: "CertificateBinding",
        };
        let old = claim(true, "2026-01-01T00:00:00Z", "old");
        let holder = claim(false, "2026-03-01T00:00:00Z", "holder");
        let young = claim(true, "2026-02-01T00:00:00Z", "young");
        assert_eq!(first([old.clone(), holder.clone(), young.clone()]), Some(holder));
        assert_eq!(first([young.clone(), old.clone()]), Some(old));
        assert_eq!(
            first([young.clone(), claim(true, &young.since, "zz")]),
            Some(young)
        );
        assert_eq!(first([]), None);
    }
}

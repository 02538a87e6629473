//! Who holds a host: the first to hold it keeps it.

use std::sync::Arc;

use idp_api::{CertificateBinding, kinds::CERTIFICATE_BINDING};
use idp_runtime::{ObjectKey, View};
use kube::ResourceExt;

use super::CertificateBindingController;
use crate::{
    content::Issuer,
    knowledge::{self, Shared},
    rules::{self, Policy},
    secret,
};

/// A binding's claim on a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// Whether it lacks the Certificate of the host.
    pub waits: bool,
    /// When the binding was made, in RFC 3339.
    pub since: String,
    /// Namespace of the binding.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The claim that counts: of whoever has the Certificate; else the oldest; of two of the same second, the first by
/// namespace and name.
pub fn first(claims: impl IntoIterator<Item = Claim>) -> Option<Claim> {
    claims.into_iter().min()
}

/// The claims on `host` for a gateway. One that no policy allows counts only with a Certificate: whoever may not have a
/// host must not keep others from it.
pub(crate) fn claims(
    host: &str,
    gateway: &str,
    policies: &[Policy],
    bindings: &[Arc<CertificateBinding>],
    shared: &Shared,
) -> Vec<Claim> {
    let secret = secret::name(host);
    let certificate = knowledge::certificate(gateway, &secret, shared);
    let owner = certificate.and_then(|certificate| certificate.owner_uid);
    bindings
        .iter()
        .filter(|binding| binding.spec.secret_namespace == gateway)
        .filter(|binding| binding.spec.hosts.iter().any(|bound| bound.host == host))
        .filter_map(|binding| {
            let holds = owner.is_some() && owner == binding.uid();
            let namespace = binding.namespace().unwrap_or_default();
            let allowed = || {
                let asker = knowledge::asker(&namespace, shared)?;
                rules::plan(policies, &asker, &issuer(binding), host, &secret).ok()
            };
            (holds || allowed().is_some()).then(|| Claim {
                waits: !holds,
                since: binding
                    .creation_timestamp()
                    .map(|time| time.0.to_string())
                    .unwrap_or_default(),
                namespace: namespace.clone(),
                name: binding.name_any(),
            })
        })
        .collect()
}

/// The binding that holds `host`, unless it is `own`.
pub(crate) fn holder(
    host: &str,
    gateway: &str,
    own: &ObjectKey,
    policies: &[Policy],
    view: &View<CertificateBindingController>,
    shared: &Shared,
) -> Option<ObjectKey> {
    let first = first(claims(host, gateway, policies, &view.resources(), shared))?;
    let holder = ObjectKey::new(first.namespace, first.name);
    (holder != *own).then_some(holder)
}

/// The issuer that a binding names.
pub(super) fn issuer(binding: &CertificateBinding) -> Issuer {
    let wanted = &binding.spec.issuer;
    Issuer {
        name: wanted.name.clone(),
        kind: wanted.kind.clone(),
        group: String::new(),
    }
    .completed()
}

/// Kind of what holds a host, for messages.
pub(super) const KIND: &str = CERTIFICATE_BINDING.kind;

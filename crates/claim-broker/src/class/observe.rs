//! The only reads: caches -> [`Observed`].

use idp_api::{ClaimClass, kinds::CLAIM_BINDING};
use idp_core::Kind;
use idp_runtime::{ObjectKey, View};
use jiff::Timestamp;
use kube::ResourceExt;

use crate::{facts::ClaimFacts, kinds::Kinds, retention::RetainedClaim};

/// What a class's plan and status depend on besides the class itself.
#[derive(Default)]
pub struct Observed {
    /// The kind that the class creates, if it is watched.
    pub(super) kind: Option<Kind>,
    /// Whether the cluster serves that kind.
    pub(super) served: bool,
    /// Its claims that no application uses.
    pub(super) retained: Vec<Retained>,
    pub(super) now: Timestamp,
}

/// A claim that no application uses.
pub(super) struct Retained {
    pub(super) claim: RetainedClaim,
    /// Whether it has no binding. A claim with a binding is left to the binding's controller.
    pub(super) is_orphan: bool,
}

/// Collects what the plan of `class` depends on.
pub fn observe(class: &ClaimClass, kinds: &Kinds, view: &View<ClaimClass>, now: Timestamp) -> Observed {
    let resource = &class.spec.resource;
    let kind = kinds.claim(&resource.api_version, &resource.kind);
    let has_binding = |claim: &RetainedClaim| {
        view.facts(CLAIM_BINDING, &claim.namespace, &claim.claim.name)
            .is_some()
    };
    Observed {
        served: kind.is_some_and(|kind| view.is_served(kind)),
        kind,
        retained: retained(&class.name_any(), kinds, view)
            .into_iter()
            .map(|claim| Retained {
                is_orphan: !has_binding(&claim),
                claim,
            })
            .collect(),
        now,
    }
}

/// The claims of a class that no application uses.
fn retained(class: &str, kinds: &Kinds, view: &View<ClaimClass>) -> Vec<RetainedClaim> {
    let target = ObjectKey::new("", class);
    let of_kind = |kind: &Kind| {
        let kind = *kind;
        // These facts are the broker's own, so they always parse. Claims in use have none.
        let found = view.about(kind, &target).unwrap_or_default().into_iter();
        found.filter_map(move |(key, claim): (ObjectKey, Option<ClaimFacts>)| {
            Some(RetainedClaim {
                namespace: key.namespace,
                kind,
                claim: claim?,
            })
        })
    };
    let mut retained: Vec<RetainedClaim> = kinds.claims.iter().flat_map(of_kind).collect();
    retained
        .sort_by(|one, other| (&one.namespace, &one.claim.name).cmp(&(&other.namespace, &other.claim.name)));
    retained
}

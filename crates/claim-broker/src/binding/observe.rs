//! The only reads: caches -> [`Observed`].

use std::collections::BTreeMap;

use idp_api::{ClaimBinding, ClaimClassSpec, claim_binding::ClaimPhase};
use idp_core::Kind;
use idp_runtime::ObjectKey;
use jiff::Timestamp;
use kube::ResourceExt;

use super::caches::Caches;
use crate::{
    annotations,
    facts::{ClaimFacts, ResourceFacts},
};

/// What `validate`, `plan` and `status` depend on besides the binding itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The class of the binding.
    pub class: Option<ClaimClassSpec>,
    /// Why the class cannot be read, if it exists and cannot be read.
    pub class_error: Option<String>,
    /// The kind that the class creates, if it is watched.
    pub kind: Option<Kind>,
    /// Whether the cluster serves that kind.
    pub served: bool,
    /// Labels of the namespace.
    pub labels: BTreeMap<String, String>,
    /// The claim with the binding's name, of any kind.
    pub claim: Option<ClaimFacts>,
    /// The kind of that claim.
    pub claim_kind: Option<Kind>,
    /// How many others of the class count before this one: claims that exist, and older bindings.
    pub before: usize,
    /// How many others of the class count in all, younger bindings included.
    pub others: usize,
    /// The composite resource and its composed resources.
    pub resources: Vec<ResourceFacts>,
    /// What the binding's annotations request.
    pub requests: Requests,
    /// When all this was read.
    pub now: Timestamp,
}

/// What a binding's annotations request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// `idp.dev/delete-data`.
    pub delete: Option<String>,
    /// `idp.dev/recreate`.
    pub recreate: Option<String>,
}

/// Collects what the plan of `binding` depends on.
pub fn observe(binding: &ClaimBinding, caches: &Caches<'_>, now: Timestamp) -> Observed {
    let key = ObjectKey::of(binding);
    let kinds = caches.kinds;
    let (class, class_error) = match caches.class(&binding.spec.class) {
        None => (None, None),
        Some(Ok(class)) => (Some(class), None),
        Some(Err(error)) => (None, Some(error.message_at("spec"))),
    };
    let kind = class
        .as_ref()
        .and_then(|class| kinds.claim(&class.resource.api_version, &class.resource.kind));
    let claim = caches.claim(&key);
    let (before, others) = rivals(binding, caches);
    let request = |key| annotations::annotation(&binding.metadata, key).map(str::to_owned);
    Observed {
        served: kind.is_some_and(|kind| caches.view.is_served(kind)),
        kind,
        class,
        class_error,
        labels: caches.labels(&key.namespace),
        before,
        others,
        claim_kind: claim
            .as_ref()
            .and_then(|claim| kinds.claim(&claim.api_version, &claim.kind)),
        claim,
        resources: caches.resources(&key),
        requests: Requests {
            delete: request(annotations::DELETE_DATA),
            recreate: request(annotations::RECREATE),
        },
        now,
    }
}

/// How many others of the class count before this binding, and how many in all. Zero if its claim exists already: the
/// quota limits new claims only.
fn rivals(binding: &ClaimBinding, caches: &Caches<'_>) -> (usize, usize) {
    let (key, name) = (ObjectKey::of(binding), &binding.spec.class);
    let claims: Vec<String> = caches
        .claims(&key.namespace)
        .filter(|claim| claim.class == *name)
        .map(|claim| claim.name)
        .collect();
    if claims.contains(&key.name) {
        return (0, 0);
    }
    let all = caches
        .view
        .resources_in(&key.namespace)
        .into_iter()
        .filter(|other| {
            other.spec.class == *name
                && other.name_any() != key.name
                && !other.spec.released
                && !claims.contains(&other.name_any())
                && other.status.as_ref().and_then(|status| status.phase) != Some(ClaimPhase::Deleted)
        });
    let older: Vec<bool> = all.map(|other| seniority(&other) < seniority(binding)).collect();
    let before = older.iter().filter(|older| **older).count();
    (claims.len() + before, claims.len() + older.len())
}

/// Sorts older bindings first, and by name those of the same second.
fn seniority(binding: &ClaimBinding) -> (Option<String>, String) {
    (
        binding.creation_timestamp().map(|time| time.0.to_string()),
        binding.name_any(),
    )
}

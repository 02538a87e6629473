//! The only reads: caches -> [`Observed`].

use std::{collections::BTreeMap, sync::Arc};

use idp_api::{ClaimBinding, ClaimClassSpec, claim_binding::ClaimPhase, kinds::CLAIM_CLASS};
use idp_runtime::{FactsError, ObjectKey, View};
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::Value;

use crate::{
    facts::{ClaimFacts, ResourceFacts, parse},
    kinds::{Kinds, NAMESPACE},
    marks,
    observed::{Annotations, Observed},
};

type Caches = View<ClaimBinding>;

/// Collects what the plan of `binding` depends on.
pub fn observe(binding: &ClaimBinding, kinds: &Kinds, view: &Caches, now: Timestamp) -> Observed {
    let key = ObjectKey::of(binding);
    let (class, class_flaw) = match class(&binding.spec.class, view) {
        None => (None, None),
        Some(Ok(class)) => (Some(class), None),
        Some(Err(misread)) => (None, Some(misread.message_at("spec"))),
    };
    let kind = class
        .as_ref()
        .and_then(|class| kinds.claim(&class.resource.api_version, &class.resource.kind));
    let claim = claim(&key, kinds, view);
    let (before, others) = rivals(binding, kinds, view);
    let said = |mark| marks::annotation(&binding.metadata, mark).map(str::to_owned);
    Observed {
        served: kind.is_some_and(|kind| view.is_served(kind)),
        kind,
        class,
        class_flaw,
        labels: labels(&key.namespace, view),
        before,
        others,
        claim_kind: claim
            .as_ref()
            .and_then(|claim| kinds.claim(&claim.api_version, &claim.kind)),
        claim,
        resources: resources(&key, kinds, view),
        said: Annotations {
            delete: said(marks::DELETE_DATA),
            recreate: said(marks::RECREATE),
        },
        now,
    }
}

/// The class of this name.
pub fn class(name: &str, view: &Caches) -> Option<Result<ClaimClassSpec, FactsError>> {
    view.read(CLAIM_CLASS, "", name)
}

/// Labels of a namespace.
pub fn labels(namespace: &str, view: &Caches) -> BTreeMap<String, String> {
    view.facts(NAMESPACE, "", namespace)
        .and_then(|facts| parse(&facts))
        .unwrap_or_default()
}

/// The claim of the binding's name, of whatever kind.
pub fn claim(key: &ObjectKey, kinds: &Kinds, view: &Caches) -> Option<ClaimFacts> {
    named(key, kinds, view).find_map(|facts| parse(&facts))
}

/// What is remembered of the claims of this name, of all kinds.
fn named<'a>(
    key: &'a ObjectKey,
    kinds: &'a Kinds,
    view: &'a Caches,
) -> impl Iterator<Item = Arc<Value>> + 'a {
    let kinds = kinds.claims.iter();
    kinds.filter_map(move |kind| view.facts(*kind, &key.namespace, &key.name))
}

/// Every claim of a namespace.
pub fn claims<'a>(
    namespace: &'a str,
    kinds: &'a Kinds,
    view: &'a Caches,
) -> impl Iterator<Item = ClaimFacts> + 'a {
    kinds
        .claims
        .iter()
        .flat_map(|kind| view.facts_by(*kind, namespace))
        .filter_map(|(_, facts)| parse(&facts))
}

fn resources(key: &ObjectKey, kinds: &Kinds, view: &Caches) -> Vec<ResourceFacts> {
    let found = kinds.looked_at().map(|kind| view.about(kind, key));
    // What the broker itself remembers, and cannot fail to read.
    let found = found.flat_map(Result::unwrap_or_default);
    let mut resources: Vec<ResourceFacts> = found.map(|(_, facts)| facts).collect();
    resources.sort_by(|one, other| (&one.kind, &one.name).cmp(&(&other.kind, &other.name)));
    resources
}

/// How many others of the class come before this one, and how many there are in all. Nothing is counted where what the
/// quota bounds exists already.
fn rivals(binding: &ClaimBinding, kinds: &Kinds, view: &Caches) -> (usize, usize) {
    let (key, name) = (ObjectKey::of(binding), &binding.spec.class);
    let held: Vec<String> = claims(&key.namespace, kinds, view)
        .filter(|claim| claim.class == *name)
        .map(|claim| claim.name)
        .collect();
    if held.contains(&key.name) {
        return (0, 0);
    }
    let all = view.resources_in(&key.namespace).into_iter().filter(|other| {
        other.spec.class == *name
            && other.name_any() != key.name
            && !other.spec.released
            && !held.contains(&other.name_any())
            && other.status.as_ref().and_then(|status| status.phase) != Some(ClaimPhase::Deleted)
    });
    let older: Vec<bool> = all.map(|other| seniority(&other) < seniority(binding)).collect();
    let before = older.iter().filter(|older| **older).count();
    (held.len() + before, held.len() + older.len())
}

/// Sorts older bindings first; the name decides between those of the same second.
fn seniority(binding: &ClaimBinding) -> (Option<String>, String) {
    (
        binding.creation_timestamp().map(|time| time.0.to_string()),
        binding.name_any(),
    )
}

/// What `section` knows of a namespace.
pub fn known(namespace: &str, kinds: &Kinds, view: &Caches) -> crate::section::Known {
    let (mut classes, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
    for (key, class) in view.read_all(CLAIM_CLASS) {
        match class {
            Ok(class) => drop(classes.insert(key.name, class)),
            Err(misread) => drop(unreadable.insert(key.name, misread.message_at("spec"))),
        }
    }
    let bindings = view.resources_in(namespace).into_iter();
    crate::section::Known {
        classes,
        unreadable,
        labels: labels(namespace, view),
        bindings: bindings
            .map(|binding: Arc<ClaimBinding>| {
                (
                    binding.name_any(),
                    crate::section::KnownBinding {
                        phase: binding.status.as_ref().and_then(|status| status.phase),
                        spec: binding.spec.clone(),
                    },
                )
            })
            .collect(),
        claims: claims(namespace, kinds, view)
            .map(|claim| (claim.name.clone(), claim))
            .collect(),
    }
}

/// Bindings of a namespace (of all, if it is empty).
pub fn bindings(namespace: &str, view: &Caches) -> Vec<ObjectKey> {
    let bindings = if namespace.is_empty() {
        view.resources()
    } else {
        view.resources_in(namespace)
    };
    bindings
        .iter()
        .map(|binding| ObjectKey::of(binding.as_ref()))
        .collect()
}

/// Those of them without a claim, which may be for want of room in a quota.
pub fn bindings_without_claim(namespace: &str, kinds: &Kinds, view: &Caches) -> Vec<ObjectKey> {
    let mut bindings = bindings(namespace, view);
    bindings.retain(|key| named(key, kinds, view).next().is_none());
    bindings
}

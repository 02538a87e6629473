//! Compares a planned child with the caches, to decide whether to write it.

use std::sync::Arc;

use idp_core::{AppliedChild, Child, ObjectKey, Problem, Step};
use serde_json::Value;

use super::{
    adoption::name_taken,
    coverage::{coverage, dropped_fields},
    handover::handover,
    progress::applied_child,
    refusal::{self, Refusal},
    writer::{Existing, Write},
};
use crate::{
    object::parent::Parent,
    reasons,
    store::{
        entry::{Coverage, Entry, PlanHash},
        kind_store::{KindStore, Serving},
        stores::Stores,
    },
};

/// The result of a comparison.
pub(crate) enum Comparison {
    Skip(Option<AppliedChild>, Option<Problem>),
    Write(Box<Write>),
    Refused(Refusal),
}

/// Decides whether a child must be written. Sends nothing.
pub(crate) fn compare(caches: &Stores, parent: &Parent, child: Child) -> Comparison {
    let key = key_of(&child);
    let Some(cache) = caches.children(child.kind) else {
        let message = format!(
            "The controller plans a {} but does not watch the kind.",
            child.kind
        );
        return Comparison::Refused(Refusal::Lasting(Problem::error(
            reasons::KIND_NOT_WATCHED,
            message,
        )));
    };
    if let Some(refusal) = unprovable(cache, parent, &child) {
        return Comparison::Refused(refusal);
    }
    if let Step::Hold { because } = &child.step {
        return Comparison::Skip(existing_child(caches, parent, &child, because), None);
    }
    if let Some(refusal) = unserved(cache) {
        return Comparison::Refused(refusal);
    }
    let hash = PlanHash::of(&child.object);
    let entry = cache.get(&key);
    if child.uid.is_some() && child.uid.as_ref() != entry.as_ref().map(|entry| &entry.uid) {
        return Comparison::Refused(refusal::deleted_meanwhile(child.kind, &key));
    }
    let existing = match &entry {
        None => Existing::Nothing,
        Some(entry) if !entry.belongs_to(&key, parent) => {
            // Its owner may release it, which triggers others.
            let taken = name_taken(child.kind, &key, entry, parent, &[], child.detached);
            return Comparison::Refused(Refusal::Unwatched(taken));
        }
        Some(entry) if entry.deleting => {
            // Its deletion is an event, and then it is created again.
            let waits = "the deletion of the previous object";
            return Comparison::Skip(Some(applied_child(child.kind, &key, entry, Some(waits))), None);
        }
        Some(entry) if !needs_write(cache, &key, entry, parent, hash, &child.object) => {
            let problem = dropped_fields(child.kind, &key, &entry.coverage);
            return Comparison::Skip(Some(applied_child(child.kind, &key, entry, None)), problem);
        }
        Some(entry) => Existing::Ours(entry.uid.clone()),
    };
    Comparison::Write(Box::new(Write {
        handover: entry.and_then(|entry| handover(&child, &entry)),
        cache: Arc::clone(cache),
        key,
        owned_by_label: child.detached || parent.cannot_own(child.namespace.as_deref()),
        detached: child.detached,
        object: child.object,
        hash,
        existing,
    }))
}

/// What exists of a child that is not written now, because it waits for `held`.
pub(crate) fn existing_child(
    caches: &Stores,
    parent: &Parent,
    child: &Child,
    held: &str,
) -> Option<AppliedChild> {
    let key = key_of(child);
    let entry = caches.children(child.kind)?.get(&key)?;
    entry
        .belongs_to(&key, parent)
        .then(|| applied_child(child.kind, &key, &entry, Some(held)))
}

pub(crate) fn key_of(child: &Child) -> ObjectKey {
    ObjectKey::new(child.namespace.clone().unwrap_or_default(), child.name.clone())
}

/// The refusal of a child that could not be distinguished from the objects of others after the write. It indicates a bug
/// in the controller.
fn unprovable(cache: &KindStore, parent: &Parent, child: &Child) -> Option<Refusal> {
    let namespace = child.namespace.as_deref();
    let is_elsewhere = parent.cannot_own(namespace);
    let proven = match (is_elsewhere, child.detached) {
        (false, false) => true,
        (false, true) => cache.watch.outlive,
        (true, _) => cache.watch.elsewhere && namespace.is_some_and(|namespace| parent.plans_in(namespace)),
    };
    let message = format!(
        "The controller plans {} {} in a namespace where it does not look for it.",
        child.kind, child.name
    );
    (!proven).then(|| Refusal::Lasting(Problem::error(reasons::KIND_NOT_WATCHED, message)))
}

fn unserved(cache: &KindStore) -> Option<Refusal> {
    let kind = cache.watch.kind;
    match cache.serving() {
        Serving::Served | Serving::Pending => None,
        Serving::Missing => Some(Refusal::Lasting(refusal::not_served(kind))),
        Serving::Forbidden => {
            let message = format!("The controller may not list {}.", kind.plural);
            Some(Refusal::Lasting(
                Problem::error(reasons::FORBIDDEN, message).hint(format!(
                    "Ask the platform team to give the controller's ClusterRole list, watch, create and patch of {}, and \
                     delete if the controller prunes this kind.",
                    kind.plural
                )),
            ))
        }
    }
}

fn needs_write(
    cache: &KindStore,
    key: &ObjectKey,
    entry: &Entry,
    parent: &Parent,
    hash: PlanHash,
    object: &Value,
) -> bool {
    if entry.plan_hash != Some(hash) || entry.owner.as_ref().is_none_or(|owner| owner.uid != parent.uid) {
        return true;
    }
    match &entry.coverage {
        Coverage::Covered(known) | Coverage::Dropped(known, _) if *known == hash => false,
        _ => {
            let found = coverage(object, entry, hash);
            let covered = matches!(found, Coverage::Covered(_));
            if covered {
                cache.set_coverage(key, &entry.uid, found);
            }
            !covered
        }
    }
}

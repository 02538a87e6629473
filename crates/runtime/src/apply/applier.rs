//! Makes the cluster match a plan, with as few requests as possible: none for a child that is as planned, and one for
//! each that is created or changed. See [`super::writer`] for how a child is written.

use std::{collections::HashSet, sync::Arc};

use futures::{StreamExt, stream};
use idp_core::{Applied, Child, Kind, ObjectKey, Plan, Prepared, Problem};

use super::{
    actions::{self, ActionRunner},
    comparison::{Comparison, compare, existing_child, key_of},
    coverage::{coverage, dropped_fields},
    progress::{ChildResult, Progress, applied_child},
    pruner::Pruner,
    refusal::{self, Refusal},
    writer::{Write, Writer, Written},
};
use crate::{
    client::request::Api,
    object::{identity::Identity, parent::Parent},
    reasons,
    store::{entry::Coverage, stores::Stores},
};

/// Concurrent requests for one resource: usually a whole wave. With a slow API server, round trips cost more than
/// requests.
const CONCURRENCY: usize = 16;

/// Turns prepared plans into applied ones.
pub(crate) struct Applier {
    pub(crate) caches: Arc<Stores>,
    pub(crate) pruner: Pruner,
    pub(crate) actions: ActionRunner,
    writer: Writer,
}

impl Applier {
    pub(crate) fn new(api: &Api, caches: &Arc<Stores>, identity: Identity) -> Self {
        Self {
            caches: caches.clone(),
            pruner: Pruner {
                api: api.clone(),
                caches: caches.clone(),
                identity,
            },
            actions: ActionRunner {
                api: api.clone(),
                caches: caches.clone(),
                identity,
            },
            writer: Writer {
                api: api.clone(),
                identity,
            },
        }
    }

    /// Applies a plan and prunes the children that it no longer contains.
    pub(crate) async fn apply(&self, parent: &Parent, plan: Plan<Prepared>) -> Progress {
        let mut progress = Progress::new(plan.problems, plan.children.len());
        let planned: HashSet<(Kind, ObjectKey)> = plan
            .children
            .iter()
            .map(|child| (child.kind, key_of(child)))
            .collect();
        let mut children = plan.children;
        children.sort_by_key(|child| child.wave);
        let mut children = children.into_iter().peekable();
        while let Some(first) = children.next() {
            let number = first.wave;
            let mut wave = vec![first];
            while let Some(child) = children.next_if(|child| child.wave == number) {
                wave.push(child);
            }
            self.apply_wave(parent, wave, &mut progress).await;
            if !progress.is_clean() {
                break;
            }
        }
        // Later waves are not written this time, but what exists of them still exists.
        let waiting = "an earlier step of the plan";
        let later = children.filter_map(|child| existing_child(&self.caches, parent, &child, waiting));
        progress.applied.children.extend(later);
        if progress.is_clean() {
            let refusals = self.pruner.prune(parent, &planned).await;
            refusals.into_iter().for_each(|refusal| progress.refuse(refusal));
        }
        // Also if a child was rejected or the namespace is being deleted: decisions about data do not depend on that.
        for action in plan.actions {
            let (acted, refusal) = self.actions.run(action).await;
            progress.retry = progress.retry.max(actions::retry(&acted));
            progress.applied.actions.push(acted);
            refusal.into_iter().for_each(|refusal| progress.refuse(refusal));
        }
        progress
    }

    /// What exists of a resource's children, for when there is no plan.
    pub(crate) fn existing(&self, parent: &Parent) -> Plan<Applied> {
        let found = self.caches.children_of(parent);
        let children = found
            .into_iter()
            .map(|(cache, key, entry)| applied_child(cache.watch.kind, &key, &entry, None));
        Plan {
            children: children.collect(),
            ..Plan::default()
        }
    }

    async fn apply_wave(&self, parent: &Parent, wave: Vec<Child>, progress: &mut Progress) {
        let comparisons: Vec<Comparison> = wave
            .into_iter()
            .map(|child| compare(&self.caches, parent, child))
            .collect();
        // `buffered` keeps the order of the plan.
        let mut results = stream::iter(comparisons)
            .map(|comparison| self.execute(parent, comparison))
            .buffered(CONCURRENCY);
        while let Some(result) = results.next().await {
            progress.add(result);
        }
    }

    async fn execute(&self, parent: &Parent, comparison: Comparison) -> ChildResult {
        let write = match comparison {
            Comparison::Skip(child, problem) => {
                return ChildResult {
                    child,
                    problem,
                    ..ChildResult::default()
                };
            }
            Comparison::Refused(refusal) => return ChildResult::refused(refusal),
            Comparison::Write(write) => write,
        };
        match Box::pin(self.writer.write(parent, &write)).await {
            Ok(written) => review(&write, &written),
            Err(refusal) => {
                // What existed before still exists, and belongs to the inventory.
                let child = write
                    .cache
                    .get(&write.key)
                    .filter(|entry| entry.belongs_to(&write.key, parent));
                ChildResult {
                    child: child.map(|entry| applied_child(write.kind(), &write.key, &entry, None)),
                    ..ChildResult::refused(refusal.elsewhere(parent, &write.key))
                }
            }
        }
    }
}

/// Compares the result of a write with the object that was sent.
fn review(write: &Write, written: &Written) -> ChildResult {
    let (kind, entry) = (write.kind(), &*written.entry);
    if entry.deleting {
        return ChildResult::refused(refusal::deleted_meanwhile(kind, &write.key));
    }
    let child = Some(applied_child(kind, &write.key, entry, None));
    let found = coverage(&write.object, entry, write.hash);
    if written.overtaken && matches!(found, Coverage::Dropped(..)) {
        // Not dropped by the API server, but changed by another writer right after us.
        let message = format!("Another writer changed {kind} {} right after us.", write.key.name);
        return ChildResult {
            child,
            ..ChildResult::refused(Refusal::Transient(Problem::warning(reasons::CONFLICT, message)))
        };
    }
    if let Coverage::Dropped(_, paths) = &found {
        tracing::warn!(%kind, object = %write.key, ?paths, "The API server dropped fields.");
    }
    let problem = dropped_fields(kind, &write.key, &found);
    write.cache.set_coverage(&write.key, &entry.uid, found);
    ChildResult {
        child,
        problem,
        refusal: None,
        facts_changed: written.facts_changed,
    }
}

#[cfg(test)]
mod tests;

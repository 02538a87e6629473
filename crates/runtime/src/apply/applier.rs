//! Makes the cluster hold what a plan says, with as few requests as possible: none for a child that is
//! as planned, exactly one for each that is to be created or changed. See [`crate::apply::writer`] for how.

use std::{collections::HashSet, sync::Arc};

use futures::{StreamExt, stream};
use idp_core::{Applied, AppliedChild, Child, Kind, ObjectKey, Plan, Prepared, Problem, Step};
use serde_json::{Value, json};

use crate::{
    apply::{
        actions,
        refusal::{self, Refusal},
        retry::Retry,
        writer::{Existing, Write, Written, name_taken},
    },
    client::request::Api,
    object::{identity::Identity, managed_fields, parent::Parent},
    store::{
        entry::{PlanHash, Record, Verdict},
        kind_store::{Cache, Serving},
        stores::Caches,
    },
};

/// Requests under way at a time for one resource. The API server is the bottleneck beyond this.
const CONCURRENCY: usize = 6;
/// How many dropped fields a problem names.
const PATHS: usize = 10;

/// Turns prepared plans into applied ones.
pub(crate) struct Applier {
    pub(crate) api: Api,
    pub(crate) caches: Arc<Caches>,
    pub(crate) identity: Identity,
}

/// What has become of a plan so far.
pub(crate) struct Progress {
    pub(crate) applied: Plan<Applied>,
    pub(crate) retry: Retry,
    pub(crate) namespace_gone: bool,
    /// Whether a child tells something that the plan was made without.
    pub(crate) news: bool,
}

/// What has become of a child.
#[derive(Default)]
struct Satisfied {
    child: Option<AppliedChild>,
    problem: Option<Problem>,
    refusal: Option<Refusal>,
    news: bool,
}

/// What a child needs.
enum Need {
    Nothing(Option<AppliedChild>, Option<Problem>),
    Write(Box<Write>),
    Refused(Refusal),
}

impl Applier {
    /// Applies a plan and prunes what it no longer holds.
    pub(crate) async fn apply(&self, parent: &Parent, plan: Plan<Prepared>) -> Progress {
        let applied = Plan {
            children: Vec::with_capacity(plan.children.len()),
            problems: plan.problems,
            ..Plan::default()
        };
        let mut progress = Progress {
            applied,
            retry: Retry::No,
            namespace_gone: false,
            news: false,
        };
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
            if progress.retry != Retry::No || progress.namespace_gone {
                break;
            }
        }
        for child in children {
            // Later waves: not written this time, but what exists of them still exists.
            progress.applied.children.extend(self.existing_child(
                parent,
                &child,
                "an earlier step of the plan",
            ));
        }
        if progress.retry == Retry::No && !progress.namespace_gone {
            self.prune(parent, &planned, &mut progress).await;
        }
        // Also where a child was refused, or the namespace is going: what was decided on data does not hang on that.
        for action in plan.actions {
            let (acted, refusal) = self.act(action).await;
            progress.retry = progress.retry.max(actions::retry(&acted));
            progress.applied.actions.push(acted);
            progress.refuse(refusal);
        }
        progress
    }

    /// What exists of a resource's children, for when there is no plan.
    pub(crate) fn existing(&self, parent: &Parent) -> Plan<Applied> {
        let found = self.caches.children_of(parent);
        let children = found
            .into_iter()
            .map(|(cache, key, record)| applied_child(cache.watch.kind, &key, &record, None));
        Plan {
            children: children.collect(),
            ..Plan::default()
        }
    }

    async fn apply_wave(&self, parent: &Parent, wave: Vec<Child>, progress: &mut Progress) {
        let needs: Vec<Need> = wave
            .into_iter()
            .map(|child| self.compare(parent, child))
            .collect();
        // `buffered` keeps the order of the plan.
        let mut outcomes = stream::iter(needs)
            .map(|need| self.satisfy(parent, need))
            .buffered(CONCURRENCY);
        while let Some(satisfied) = outcomes.next().await {
            progress.applied.children.extend(satisfied.child);
            progress.applied.problems.extend(satisfied.problem);
            progress.refuse(satisfied.refusal);
            progress.news |= satisfied.news;
        }
    }

    async fn satisfy(&self, parent: &Parent, need: Need) -> Satisfied {
        match need {
            Need::Nothing(child, problem) => Satisfied {
                child,
                problem,
                ..Satisfied::default()
            },
            Need::Refused(refusal) => Satisfied::refused(refusal),
            Need::Write(write) => match Box::pin(self.write(parent, &write)).await {
                Ok(written) => self.written(&write, &written),
                Err(refusal) => {
                    // What was there before is still there, and belongs to the inventory.
                    let child = write
                        .cache
                        .get(&write.key)
                        .filter(|record| record.belongs_to(&write.key, parent));
                    Satisfied {
                        child: child.map(|record| applied_child(write.kind(), &write.key, &record, None)),
                        ..Satisfied::refused(refusal.elsewhere(parent, &write.key))
                    }
                }
            },
        }
    }

    /// Decides what a child needs. Sends nothing.
    fn compare(&self, parent: &Parent, child: Child) -> Need {
        let key = key_of(&child);
        let Some(cache) = self.caches.children(child.kind) else {
            let message = format!(
                "the controller plans a {} but does not watch the kind",
                child.kind
            );
            return Need::Refused(Refusal::Lasting(Problem::error("KindNotWatched", message)));
        };
        if let Some(refusal) = unprovable(cache, parent, &child) {
            return Need::Refused(refusal);
        }
        if let Step::Hold { because } = &child.step {
            return Need::Nothing(self.existing_child(parent, &child, because), None);
        }
        if let Some(refusal) = unserved(cache) {
            return Need::Refused(refusal);
        }
        let hash = PlanHash::of(&child.object);
        let record = cache.get(&key);
        if child.uid.is_some() && child.uid.as_ref() != record.as_ref().map(|record| &record.uid) {
            return Need::Refused(refusal::deleted_meanwhile(child.kind, &key));
        }
        let existing = match &record {
            None => Existing::Nothing,
            Some(record) if !record.belongs_to(&key, parent) => {
                // Whose it is may let it go, which wakes others.
                return Need::Refused(Refusal::Unwatched(name_taken(
                    child.kind,
                    &key,
                    record,
                    parent,
                    &[],
                    child.detached,
                )));
            }
            Some(record) if record.deleting => {
                // Its deletion is an event, and then it is created anew.
                let waits = "the deletion of the object before it";
                return Need::Nothing(Some(applied_child(child.kind, &key, record, Some(waits))), None);
            }
            Some(record) if !needs_write(cache, &key, record, parent, hash, &child.object) => {
                let problem = dropped_fields(child.kind, &key, &record.verdict);
                return Need::Nothing(Some(applied_child(child.kind, &key, record, None)), problem);
            }
            Some(record) => Existing::Ours(record.uid.clone()),
        };
        Need::Write(Box::new(Write {
            handover: record.and_then(|record| handover(&child, &record)),
            cache: cache.clone(),
            key,
            owned_by_label: child.detached || parent.cannot_own(child.namespace.as_deref()),
            detached: child.detached,
            object: child.object,
            hash,
            existing,
        }))
    }

    /// Looks at what the API server made of a write.
    fn written(&self, write: &Write, written: &Written) -> Satisfied {
        let (kind, record) = (write.kind(), &*written.record);
        if record.deleting {
            return Satisfied::refused(refusal::deleted_meanwhile(kind, &write.key));
        }
        let child = Some(applied_child(kind, &write.key, record, None));
        let verdict = verdict(&write.object, record, write.hash);
        if written.overtaken && matches!(verdict, Verdict::Dropped(..)) {
            // Not dropped by the API server, but taken by whoever changed the object right after us.
            let message = format!("{kind} {} was changed by somebody else at once", write.key.name);
            return Satisfied {
                child,
                ..Satisfied::refused(Refusal::Transient(Problem::warning("Conflict", message)))
            };
        }
        if let Verdict::Dropped(_, paths) = &verdict {
            tracing::warn!(%kind, object = %write.key, ?paths, "the API server dropped fields");
        }
        let problem = dropped_fields(kind, &write.key, &verdict);
        write.cache.judge(&write.key, &record.uid, verdict);
        Satisfied {
            child,
            problem,
            refusal: None,
            news: written.news,
        }
    }

    fn existing_child(&self, parent: &Parent, child: &Child, held: &str) -> Option<AppliedChild> {
        let key = key_of(child);
        let record = self.caches.children(child.kind)?.get(&key)?;
        record
            .belongs_to(&key, parent)
            .then(|| applied_child(child.kind, &key, &record, Some(held)))
    }
}

impl Satisfied {
    fn refused(refusal: Refusal) -> Self {
        Self {
            refusal: Some(refusal),
            ..Self::default()
        }
    }
}

impl Progress {
    pub(crate) fn refuse(&mut self, refusal: Option<Refusal>) {
        let (problem, retry) = match refusal {
            None => return,
            Some(Refusal::NamespaceGone) => {
                self.namespace_gone = true;
                return;
            }
            Some(Refusal::Transient(problem)) => (problem, Retry::Soon),
            Some(Refusal::Unwatched(problem)) => (problem, Retry::Poll),
            Some(Refusal::Lasting(problem)) => (problem, Retry::Slow),
        };
        self.retry = self.retry.max(retry);
        // Several children of a kind that is not served are one problem.
        if !self.applied.problems.contains(&problem) {
            self.applied.problems.push(problem);
        }
    }
}

/// The fields that `child` gives up and that are still ours alone, as an object to apply.
///
/// Whoever stops applying a field that nobody else owns removes it, and the API server then sets its default: a
/// Deployment whose `replicas` go over to an autoscaler would have one pod for a moment. So a second manager of ours
/// owns the field too before we let it go.
fn handover(child: &Child, record: &Record) -> Option<Value> {
    let owned: Value = serde_json::from_str(&record.owned_fields).ok()?;
    let owns = |pointer: &str| {
        let mut members = pointer.split('/').skip(1);
        members
            .try_fold(&owned, |fields, member| fields.get(format!("f:{member}")))
            .is_some()
    };
    let mut fields = json!({
        "apiVersion": child.object["apiVersion"],
        "kind": child.object["kind"],
        "metadata": { "name": child.name, "namespace": child.namespace },
    });
    let mut any = false;
    for (pointer, value) in &child.yields {
        if child.object.pointer(pointer).is_none() && owns(pointer) {
            let place = pointer
                .split('/')
                .skip(1)
                .fold(&mut fields, |place, member| &mut place[member]);
            *place = value.clone();
            any = true;
        }
    }
    any.then_some(fields)
}

/// A child that could not be told from a stranger's once it is written. Only a controller that contradicts itself plans
/// one.
fn unprovable(cache: &Cache, parent: &Parent, child: &Child) -> Option<Refusal> {
    let namespace = child.namespace.as_deref();
    let is_elsewhere = parent.cannot_own(namespace);
    let proven = match (is_elsewhere, child.detached) {
        (false, false) => true,
        (false, true) => cache.watch.outlive,
        (true, _) => cache.watch.elsewhere && namespace.is_some_and(|namespace| parent.plans_in(namespace)),
    };
    let message = format!(
        "the controller plans {} {} where it would not find it again",
        child.kind, child.name
    );
    (!proven).then(|| Refusal::Lasting(Problem::error("KindNotWatched", message)))
}

fn unserved(cache: &Cache) -> Option<Refusal> {
    let kind = cache.watch.kind;
    match cache.serving() {
        Serving::Served | Serving::Pending => None,
        Serving::Missing => Some(Refusal::Lasting(refusal::not_served(kind))),
        Serving::Forbidden => Some(Refusal::Lasting(
            Problem::error(
                "Forbidden",
                format!("the controller may not list {}", kind.plural),
            )
            .hint(format!(
                "its ClusterRole needs list, watch, create and patch of {}, and delete where children of the kind come and go",
                kind.plural
            )),
        )),
    }
}

fn needs_write(
    cache: &Cache,
    key: &ObjectKey,
    record: &Record,
    parent: &Parent,
    hash: PlanHash,
    object: &Value,
) -> bool {
    if record.plan_hash != Some(hash) || record.owner.as_ref().is_none_or(|owner| owner.uid != parent.uid) {
        return true;
    }
    match &record.verdict {
        Verdict::Covered(known) | Verdict::Dropped(known, _) if *known == hash => false,
        _ => {
            let verdict = verdict(object, record, hash);
            let covered = matches!(verdict, Verdict::Covered(_));
            if covered {
                cache.judge(key, &record.uid, verdict);
            }
            !covered
        }
    }
}

fn verdict(object: &Value, record: &Record, hash: PlanHash) -> Verdict {
    let fields: Value = serde_json::from_str(&record.owned_fields).unwrap_or_default();
    if managed_fields::covers(object, &fields) {
        Verdict::Covered(hash)
    } else {
        Verdict::Dropped(hash, managed_fields::missing(object, &fields, PATHS))
    }
}

fn dropped_fields(kind: Kind, key: &ObjectKey, verdict: &Verdict) -> Option<Problem> {
    let Verdict::Dropped(_, paths) = verdict else {
        return None;
    };
    let message = format!(
        "the API server dropped fields of {kind} {}: {}",
        key.name,
        paths.join(", ")
    );
    Some(
        Problem::warning("FieldsDropped", message)
            .hint("the installed version of this kind does not know them"),
    )
}

pub(crate) fn key_of(child: &Child) -> ObjectKey {
    ObjectKey::new(child.namespace.clone().unwrap_or_default(), child.name.clone())
}

fn applied_child(kind: Kind, key: &ObjectKey, record: &Record, held: Option<&str>) -> AppliedChild {
    AppliedChild {
        kind,
        namespace: kind.namespaced.then(|| key.namespace.clone()),
        name: key.name.clone(),
        uid: record.uid.clone(),
        facts: Value::clone(&record.facts),
        held: held.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests;

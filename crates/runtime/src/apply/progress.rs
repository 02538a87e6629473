//! The results of a plan so far.

use idp_core::{Applied, AppliedChild, Kind, ObjectKey, Plan, Problem};
use serde_json::Value;

use super::{refusal::Refusal, retry::Retry};
use crate::store::entry::Entry;

/// The results of a plan so far.
pub(crate) struct Progress {
    pub(crate) applied: Plan<Applied>,
    pub(crate) retry: Retry,
    pub(crate) namespace_gone: bool,
    /// Whether the facts of a child changed after the plan was made.
    pub(crate) facts_changed: bool,
}

/// The result of one child.
#[derive(Default)]
pub(crate) struct ChildResult {
    pub(crate) child: Option<AppliedChild>,
    pub(crate) problem: Option<Problem>,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) facts_changed: bool,
}

impl ChildResult {
    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self {
            refusal: Some(refusal),
            ..Self::default()
        }
    }
}

impl Progress {
    /// Nothing is applied yet; `problems` are the plan's own.
    pub(crate) fn new(problems: Vec<Problem>, children: usize) -> Self {
        Self {
            applied: Plan {
                children: Vec::with_capacity(children),
                problems,
                ..Plan::default()
            },
            retry: Retry::No,
            namespace_gone: false,
            facts_changed: false,
        }
    }

    /// Whether everything so far succeeded.
    pub(crate) fn is_clean(&self) -> bool {
        self.retry == Retry::No && !self.namespace_gone
    }

    pub(crate) fn add(&mut self, result: ChildResult) {
        self.applied.children.extend(result.child);
        self.applied.problems.extend(result.problem);
        self.facts_changed |= result.facts_changed;
        if let Some(refusal) = result.refusal {
            self.refuse(refusal);
        }
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.retry = self.retry.max(Retry::after(&refusal));
        let problem = match refusal {
            Refusal::NamespaceGone => {
                self.namespace_gone = true;
                return;
            }
            Refusal::Transient(problem) | Refusal::Unwatched(problem) | Refusal::Lasting(problem) => problem,
        };
        // Several children of a kind that is not served are one problem.
        if !self.applied.problems.contains(&problem) {
            self.applied.problems.push(problem);
        }
    }
}

/// A child as the status shows it; `held` is what it waits for.
pub(crate) fn applied_child(kind: Kind, key: &ObjectKey, entry: &Entry, held: Option<&str>) -> AppliedChild {
    AppliedChild {
        kind,
        namespace: kind.namespaced.then(|| key.namespace.clone()),
        name: key.name.clone(),
        uid: entry.uid.clone(),
        facts: Value::clone(&entry.facts),
        held: held.map(str::to_owned),
    }
}

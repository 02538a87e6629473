//! Actions: changes that a plan makes to existing objects that are not its children. Marking or deleting data is always
//! an action: a pure function decides it, and only the runtime carries it out.
//!
//! An action lists its preconditions. The runtime reads the live object, and does nothing if they no longer hold: a
//! change made in the meantime wins.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Kind;

/// One action on one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Its kind.
    pub kind: Kind,
    /// `metadata.namespace`; empty for cluster-wide kinds.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// UID of the object that the decision is about. Another object with the same name is not touched.
    pub uid: String,
    /// What to do.
    pub deed: Deed,
    /// Annotations that the decision depends on, each with its value, or `None` for absent. The action is skipped if
    /// they differ.
    pub annotations: BTreeMap<String, Option<String>>,
    /// Labels that the decision depends on, likewise.
    pub labels: BTreeMap<String, Option<String>>,
    /// The action is skipped while this object claims the target.
    pub claimant: Option<Claimant>,
    /// Reason for the action, for the log.
    pub because: String,
}

/// What to do to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Set these annotations; `None` removes one.
    Annotate(BTreeMap<String, Option<String>>),
    /// Delete it and its dependents.
    Delete,
}

/// An object whose existence forbids an action, unless it is being deleted or has released the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimant {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// JSON pointer to the field that releases the target.
    pub pointer: &'static str,
    /// The value of that field that releases it.
    pub gives_way: Value,
}

/// Result of an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Acted {
    /// The action.
    pub action: Action,
    /// Its effect.
    pub effect: Effect,
    /// Facts that the controller extracts from objects of this kind, from the object after the action.
    pub facts: Option<Value>,
}

/// Effect of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It was done.
    Done,
    /// Nothing to do: the object is deleted or being deleted.
    Moot,
    /// Skipped: the object or its claimant changed since the decision.
    Overtaken,
    /// The API server rejected it, or did not respond. The plan's problems have the cause.
    Failed,
}

impl Acted {
    /// Whether the wanted state is reached.
    pub fn is_settled(&self) -> bool {
        matches!(self.effect, Effect::Done | Effect::Moot)
    }
}

//! Actions: what a plan does to objects that exist, besides holding its children. Whatever marks or deletes what people
//! cannot make again is such a value: it is decided by a pure function, shown, and carried out by the runtime alone.
//!
//! An action says what it was decided on. The runtime reads the live object, and does nothing if that is not true any
//! more: whoever changes his mind in between wins.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Kind;

/// One act on one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Its kind.
    pub kind: Kind,
    /// `metadata.namespace`; empty for cluster-wide kinds.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// UID of the very object that was looked at: its namesake is another one.
    pub uid: String,
    /// What to do.
    pub deed: Deed,
    /// Annotations that the decision rests on, each with its value, or absent: nothing is done if they differ now.
    pub annotations: BTreeMap<String, Option<String>>,
    /// Labels that it rests on, likewise.
    pub labels: BTreeMap<String, Option<String>>,
    /// Nothing is done as long as somebody claims the object.
    pub claimant: Option<Claimant>,
    /// Why, for the log.
    pub because: String,
}

/// What to do to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Set these annotations; those without a value are removed.
    Annotate(BTreeMap<String, Option<String>>),
    /// Delete it, and what depends on it.
    Delete,
}

/// An object that forbids an action by being there: unless it is being deleted, or says by itself that it does not.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimant {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// JSON pointer to the field by which it gives way.
    pub pointer: &'static str,
    /// The value there by which it does.
    pub gives_way: Value,
}

/// What became of an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Acted {
    /// The action.
    pub action: Action,
    /// How it ended.
    pub effect: Effect,
    /// What the controller asked to know of objects of this kind, of the object as the act left it.
    pub facts: Option<Value>,
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It was done.
    Done,
    /// There was nothing to do any more: the object is gone or going.
    Moot,
    /// Nothing was done: the object, or who claims it, is not as it was when this was decided.
    Overtaken,
    /// The API server refused, or did not answer: the plan's problems say why.
    Failed,
}

impl Acted {
    /// Whether what was wanted is so now.
    pub fn is_settled(&self) -> bool {
        matches!(self.effect, Effect::Done | Effect::Moot)
    }
}

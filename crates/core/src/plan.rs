//! Plans: what a resource becomes.
//!
//! A plan is [`Prepared`] when it is computed and [`Applied`] once the API server holds it. Only the
//! applier turns one into the other, so a status can speak only of what was really written.

use serde_json::Value;

use crate::{Acted, Action, Child, Kind, Problem};

/// A stage in the life of a plan.
pub trait Stage {
    /// What a child is at this stage.
    type Child;
    /// What an action is at this stage.
    type Action;
}

/// Computed; nothing is written yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared;

/// Held by the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied;

impl Stage for Prepared {
    type Child = Child;
    type Action = Action;
}

impl Stage for Applied {
    type Child = AppliedChild;
    type Action = Acted;
}

/// The desired children of one resource.
#[derive(Debug)]
pub struct Plan<S: Stage> {
    /// The children, in the order in which they are written within their wave.
    pub children: Vec<S::Child>,
    /// What is done to objects that exist, after the children were written and whatever became of them.
    pub actions: Vec<S::Action>,
    /// What does not work. A prepared plan holds warnings only (an error means that there is no plan);
    /// an applied one also holds what the API server refused.
    pub problems: Vec<Problem>,
}

impl<S: Stage> Default for Plan<S> {
    fn default() -> Self {
        Self {
            children: Vec::new(),
            actions: Vec::new(),
            problems: Vec::new(),
        }
    }
}

/// A child that the API server holds.
#[derive(Clone, Debug, PartialEq)]
pub struct AppliedChild {
    /// Its kind.
    pub kind: Kind,
    /// `metadata.namespace`.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// What the controller asked to know of objects of this kind: a small extract of the live object.
    pub facts: Value,
    /// Why the plan leaves it as it is, if it does.
    pub held: Option<String>,
}

impl Plan<Applied> {
    /// The applied child of this kind and name.
    pub fn child(&self, kind: Kind, name: &str) -> Option<&AppliedChild> {
        self.children
            .iter()
            .find(|child| child.kind == kind && child.name == name)
    }
}

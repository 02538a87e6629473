//! What every controller of the platform shares: names, labels, kinds, problems, conditions and plans.
//!
//! This crate is pure. It knows no client, no async runtime, no clock and no environment: whatever
//! depends on those is passed in as a value. That is what lets the controller, `idp-cli render` and an
//! admission check call the same code and get the same answer.

pub mod action;
pub mod capability;
pub mod child;
pub mod condition;
pub mod duration;
pub mod hash;
pub mod kind;
pub mod labels;
pub mod names;
pub mod object_key;
pub mod plan;
pub mod problem;
pub mod quantity;
pub mod reason;
pub mod visible;

pub use action::{Acted, Action, Deed, Effect};
pub use child::{Child, Step};
pub use condition::{Condition, ConditionSet};
pub use kind::Kind;
pub use object_key::ObjectKey;
pub use plan::{Applied, AppliedChild, Plan, Prepared};
pub use problem::{Problem, Severity};
pub use reason::Reason;

/// The parts of a status that every resource of the platform has: the driver makes events and metrics of their changes.
pub trait StatusView {
    /// The conditions.
    fn conditions(&self) -> &[Condition];
    /// The problems.
    fn problems(&self) -> &[Problem];
}

//! The policies themselves: whether they can be understood, and what exists although none allows it.

mod controller;
mod findings;
mod metrics;
mod observe;
mod status;

pub use controller::PolicyController;
pub use findings::{Findings, Subject, audit};

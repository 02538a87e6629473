//! Retained data: claims that no application uses. When they are marked, kept and deleted.

pub mod actions;
mod claim;
pub mod cli;
pub mod policy;
mod wording;

pub use actions::{after, plan};
pub use claim::RetainedClaim;
pub use wording::{by_class, deletion_cause};

//! Makes the cluster match a plan: server-side apply, pruning, and actions.

pub(crate) mod actions;
pub(crate) mod adoption;
pub(crate) mod applier;
pub(crate) mod comparison;
pub(crate) mod coverage;
pub(crate) mod handover;
pub(crate) mod progress;
pub(crate) mod pruner;
pub(crate) mod refusal;
pub(crate) mod retry;
pub(crate) mod writer;

//! The reconcile loop: the work queue, and what happens to one resource.

pub(crate) mod backoff;
pub(crate) mod explain;
pub(crate) mod finalizer;
pub(crate) mod progress;
pub(crate) mod pulse;
pub(crate) mod queue;
pub(crate) mod reconciler;
pub(crate) mod status_patch;
pub(crate) mod triggers;

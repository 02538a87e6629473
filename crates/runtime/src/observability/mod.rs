//! Logs, traces, metrics and Kubernetes events.

pub(crate) mod events;
pub(crate) mod log_lines;
pub(crate) mod metrics;
pub(crate) mod telemetry;
pub(crate) mod unreadable;

//! The controller driver: reconcile loop, applier, leader election, health, telemetry, shutdown.
//!
//! A controller declares what it watches, and computes a plan and a status from (resource, observed facts); see
//! [`Reconcile`]. Everything else is here, once. This crate knows no domain term of the platform.
//!
//! Rooms import only from those to their left:
//! `object` ← `observability` ← `client`, `store` ← `reconcile` ← `apply` ← `driver` ← `endpoint` ← `process`.
//! `grpc` is on its own; only `process` uses it.

mod apply;
mod client;
mod driver;
mod endpoint;
#[cfg(test)]
mod fake;
pub mod grpc;
mod jitter;
mod object;
mod observability;
mod panics;
mod process;
pub mod reasons;
pub mod reconcile;
mod store;

pub use client::connect::connect;
pub use grpc::{Callers, Peer};
pub use idp_core::{ObjectKey, StatusView};
pub use object::{reading, scope::Scoped};
pub use observability::telemetry::{LogFormat, TelemetryArgs};
pub use process::{
    leader::LeaseLost,
    run::{Args, Options, Process, run, run_until},
    shutdown,
};
pub use reconcile::{Finalize, ObserveError, Outcome, Reconcile, offline_view};
pub use store::{
    facts::FactsError,
    view::View,
    watch::{Targets, Watch},
};

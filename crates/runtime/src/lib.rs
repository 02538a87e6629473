//! The controller driver: reconcile loop, applier, leader election, health, telemetry, shutdown.
//!
//! A controller says what it watches and turns (resource, observed facts) into a plan and a status; see
//! [`Reconcile`]. Everything else is here, once. No domain word of the platform appears in this crate.

mod act;
mod api;
mod applier;
mod backoff;
mod cache;
mod caches;
mod changes;
mod client;
mod drift;
mod driver;
mod events;
mod explain;
mod facts;
#[cfg(test)]
mod fake;
mod finalizer;
pub mod grpc;
mod health;
mod identity;
mod index;
mod leader;
mod lines;
mod metrics;
mod part;
mod prune;
mod queue;
pub mod reading;
pub mod reconcile;
mod record;
mod refusal;
mod resources;
mod run;
mod scope;
mod scrape;
pub mod shutdown;
mod status;
mod telemetry;
mod unreadable;
mod view;
mod wakes;
mod watching;
mod write;

pub use client::connect;
pub use facts::Misread;
pub use grpc::{Callers, Peer};
pub use idp_core::StatusView;
pub use leader::LeaseLost;
pub use reconcile::{Farewell, ObjectKey, ObserveError, Outcome, Reconcile, Targets, Watch};
pub use run::{Args, Options, Process, run, run_until};
pub use scope::Scoped;
pub use telemetry::{LogFormat, TelemetryArgs};
pub use view::View;

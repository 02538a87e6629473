//! The controller driver: reconcile loop, applier, leader election, health, telemetry, shutdown.
//!
//! A controller says what it watches and turns (resource, observed facts) into a plan and a status; see
//! [`Reconcile`]. Everything else is here, once. No domain word of the platform appears in this crate.

mod api;
mod applier;
mod backoff;
mod cache;
mod caches;
mod client;
mod drift;
mod driver;
mod events;
#[cfg(test)]
mod fake;
mod finalizer;
mod health;
mod identity;
mod leader;
mod metrics;
mod prune;
mod queue;
pub mod reconcile;
mod record;
mod refusal;
mod resources;
mod run;
mod scrape;
pub mod shutdown;
mod status;
mod telemetry;
mod view;
mod watching;
mod write;

pub use idp_core::StatusView;
pub use leader::LeaseLost;
pub use reconcile::{ObjectKey, ObserveError, Outcome, Reconcile, Targets, Watch};
pub use run::{Args, Options, run, run_until};
pub use telemetry::{LogFormat, TelemetryArgs};
pub use view::View;

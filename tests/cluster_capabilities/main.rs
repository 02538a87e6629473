//! The WebApplication controller with capabilities that respond correctly, incorrectly, slowly, or not at all. The
//! cluster is `alone`; each test has its own capability.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod bindings;
mod discovery;
mod responses;
mod unreachable;

use std::time::Duration;

use idp_tests::{Beside, Lab};
use tokio::sync::RwLock;

/// Shorter than the requeue interval: the controller was woken.
const SOON: Duration = Duration::from_secs(25);

/// Locked for writing while a capability is announced, because every application is planned again then.
static WHO_IS_THERE: RwLock<()> = RwLock::const_new(());

/// Names of the capabilities that tests serve.
const NAMES: &[&str] = &["mail", "picky", "stale", "foreign", "silent", "slow", "conflict"];

/// A namespace, with the controller beside.
async fn lab(prefix: &str) -> Lab {
    Lab::new(prefix, Beside::Nothing(NAMES)).await
}

//! The WebApplication controller beside capabilities that answer well, badly, slowly, or not at all. The cluster is
//! `alone`; each test has a capability of its own.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod answers;
mod bindings;
mod discovery;
mod silence;

use std::time::Duration;

use idp_tests::{Beside, Lab};
use tokio::sync::RwLock;

/// Sooner than a controller would look by itself: it was woken.
const SOON: Duration = Duration::from_secs(25);

/// Held for writing by whoever announces a capability: every application is planned anew then.
static WHO_IS_THERE: RwLock<()> = RwLock::const_new(());

/// Names of the capabilities that tests serve.
const NAMES: &[&str] = &["mail", "picky", "stale", "foreign", "silent", "slow", "conflict"];

/// A namespace, with the controller beside.
async fn lab(prefix: &str) -> Lab {
    Lab::new(prefix, Beside::Nothing(NAMES)).await
}

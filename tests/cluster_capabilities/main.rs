//! The WebApplication controller beside capabilities that answer well, badly, slowly, or not at all. The cluster is
//! `peers`; each test has a capability of its own.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod answers;
mod bindings;
mod discovery;
mod silence;

use idp_tests::{Beside, Lab};

/// Names of the capabilities that tests serve.
const NAMES: &[&str] = &["mail", "picky", "stale", "foreign", "silent", "slow", "conflict"];

/// A namespace, with the controller beside.
async fn lab(prefix: &str) -> Lab {
    Lab::new(prefix, Beside::Nothing(NAMES)).await
}

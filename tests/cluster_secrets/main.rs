//! Secrets of applications on the real External Secrets and LocalStack: the cluster `outages`.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod arrival;
mod bad_input;
mod changes;
mod missing;
mod rotation;
mod stores;

use idp_tests::{Beside, Lab};

/// A namespace, with the controllers beside.
async fn lab(prefix: &str) -> Lab {
    Lab::new(prefix, Beside::SecretsBridge).await
}

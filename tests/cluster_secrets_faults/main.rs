//! Secrets during outages and crashes, and the requests and output of our controllers: the cluster `outages`, one test
//! at a time, with our controllers as processes.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod canary;
mod collector;
mod kills;
mod outages;
mod quiet;
mod rights;

use idp_tests::Alone;
use serde_json::{Value, json};

/// The cluster, alone.
async fn alone() -> Alone {
    Alone::enter(env!("CARGO_TARGET_TMPDIR")).await
}

/// A spec with one secret, whose property `password` becomes a variable. A change is read at once.
fn with_secret() -> Value {
    with_secret_every("2s")
}

/// The same, read again after this time.
fn with_secret_every(interval: &str) -> Value {
    json!({ "secrets": [{ "name": "db", "refreshInterval": interval, "keys": [{ "property": "password" }] }] })
}

//! The broker on a real Crossplane 2: composite resources in namespaces. What applications see is the same.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

#[path = "../support/mod.rs"]
mod support;

/// Whether it is Crossplane 2.
const IS_SECOND: bool = true;

// The same for both generations.
#[path = "../cluster_peers/application.rs"]
mod application;
#[path = "../cluster_peers/crash.rs"]
mod crash;
#[path = "../cluster_peers/data.rs"]
mod data;
#[path = "../cluster_peers/rules.rs"]
mod rules;

mod compositions;
mod life;

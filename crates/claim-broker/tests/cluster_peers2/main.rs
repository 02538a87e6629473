//! The broker on a real Crossplane 2: composite resources in namespaces. What applications see is the same.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

#[path = "../support/mod.rs"]
mod support;

mod compositions;
mod life;

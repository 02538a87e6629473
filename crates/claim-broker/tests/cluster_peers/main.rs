//! The broker on a real Crossplane 1.20: claims. One test after the other, because they stop Crossplane, kill brokers
//! and count requests.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

#[path = "../support/mod.rs"]
mod support;

/// Whether it is Crossplane 2.
const IS_SECOND: bool = false;

mod application;
mod compositions;
mod crash;
mod data;
mod life;
mod many;
mod rules;
mod volume;

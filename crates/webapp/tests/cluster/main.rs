//! The controller with a real API server, one file for each topic. All tests share the embedded cluster `test` and
//! one controller in this process; each has its own namespaces.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod bad_input;
mod changes;
mod fragments;
mod golden_dry_run;
mod lab;
mod ownership;
mod plan;
mod platform_input;
mod sample;
mod scale;

//! What the controller does on a real API server, one file a family. All tests share the embedded cluster `test` and
//! one controller in this process; each has namespaces of its own.

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

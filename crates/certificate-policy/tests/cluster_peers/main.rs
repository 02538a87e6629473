//! Runs the controller as a process, with the real cert-manager (its own approver is off) on the cluster `certificates`.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod admission;
mod attacks;
mod audit;
mod bindings;
mod bootstrap;
mod capability;
mod denials;
mod lab;
mod manifests;
mod outage;
mod scale;

#[path = "../build/mod.rs"]
mod build;

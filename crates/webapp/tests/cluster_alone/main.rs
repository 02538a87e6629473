//! Tests of the controller as a process, alone on a cluster of fake nodes: they count its requests, restart it, kill
//! it. They run one after the other, because each must be the only one.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod failover;
mod quiet;
mod requests;
mod rights;
mod support;

//! Tests of the controller as a process, alone on a cluster of fake nodes: they count what it asks, restart it, kill
//! it. One after the other, because each needs to be the only one.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod failover;
mod quiet;
mod requests;
mod rights;
mod support;

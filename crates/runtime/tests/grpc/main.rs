//! gRPC between controllers, over real sockets and real certificates. Needs no cluster.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod flood;
mod lab;
mod outage;
mod pki;
mod refused;
mod rotation;
mod standard;
mod stub;
mod telemetry;
mod watch;

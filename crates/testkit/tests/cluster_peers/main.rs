//! The real peers beside a cluster do what the platform needs of them: each is seen at its main job.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod certificates;
mod claims;
mod objects;
mod secrets;

//! Tests that cross crates: several controllers of ours, and the real peers of the platform.
//!
//! Most tests run our controllers in a thread of the test process, with the cluster that has the peers they
//! require ([`Beside`], [`Lab`]). Tests that kill processes, count requests or stop a peer run controllers as
//! processes, with a separate cluster ([`Alone`]).

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "this is all test code: a panic is how a test fails"
)]

mod alone;
mod apps;
mod beside;
mod lab;
mod look;

pub use alone::{Alone, BRIDGE, Pair};
pub use apps::{app, condition, is_ready, why};
pub use beside::Beside;
pub use lab::{EXTERNAL_SECRET, Lab};

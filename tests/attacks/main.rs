//! Attacks that once succeeded: each must fail, on the real peers and against all of the platform's
//! controllers.
//!
//! One file for each finding. The attacker is a [`Tenant`]: a ServiceAccount with exactly the permissions of
//! application teams.

#![allow(
    clippy::needless_pass_by_value,
    reason = "helpers take what `json!` makes where they are called"
)]
#![allow(
    clippy::unwrap_used,
    reason = "this is all test code: a panic is how a test fails"
)]

mod config_revision;
mod data;
mod finding_01;
mod finding_02;
mod finding_03;
mod finding_04;
mod finding_05;
mod finding_06;
mod finding_07;
mod finding_08;
mod finding_09;
mod finding_10;
mod finding_11;
mod finding_12;
mod roles;
mod template_door;
mod tenant;
mod wide;

pub(crate) use tenant::Tenant;

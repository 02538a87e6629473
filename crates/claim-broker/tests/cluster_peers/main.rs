//! The broker with a real Crossplane 2, with claims and with composite resources in namespaces: applications see no
//! difference. The tests run one after the other, because they stop Crossplane, kill brokers and count requests.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod support;

mod application;
mod compositions;
mod crash;
mod data;
mod life;
mod many;
mod namespaced;
mod rules;
mod volume;

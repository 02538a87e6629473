//! The secrets bridge: what applications want of the remote secret store becomes External Secrets' resources.
//!
//! It wires names. It never reads a Secret, and has no right to.

pub mod capability;
pub mod controller;
mod facts;
mod failure;
mod keys;
mod kinds;
mod observe;
mod plan;
mod status;
mod validate;
mod versions;

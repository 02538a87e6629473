//! The controller of ClaimBindings: each becomes a claim.

pub mod caches;
pub mod controller;
pub mod observe;
pub mod plan;
pub mod root_cause;
pub mod status;
pub mod validate;

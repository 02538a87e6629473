//! The claims capability: what an application wants as databases, buckets and volumes becomes Crossplane claims (or
//! composite resources, or volume claims), and the data outlive mistakes.
//!
//! `section` answers the WebApplication controller over gRPC: a database becomes a `ClaimBinding` and environment
//! variables. `controller` turns each ClaimBinding into its claim, in the usual phases. `data` is the only code that
//! deletes what holds data. `classes` checks ClaimClasses, and deletes what is kept for nobody once somebody said so.

pub mod capability;
pub mod cause;
pub mod classes;
pub mod controller;
pub mod data;
pub mod facts;
pub mod kinds;
pub mod marks;
pub mod observe;
pub mod observed;
pub mod offer;
pub mod plan;
pub mod reason;
pub mod section;
pub mod status;
pub mod template;
pub mod tombstone;
pub mod validate;

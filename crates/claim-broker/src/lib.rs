//! The claims capability: what an application wants as databases, buckets and volumes becomes Crossplane claims (or
//! composite resources, or volume claims), and the data outlive mistakes.
//!
//! `section` answers the WebApplication controller over gRPC: a database becomes a `ClaimBinding` and environment
//! variables. `controller` turns each ClaimBinding into its claim, in the usual phases. `data` is the only code that
//! deletes what holds data. `classes` checks ClaimClasses, and deletes what is kept for nobody once somebody said so.

pub mod kinds;
pub mod reason;
pub mod template;
pub mod offer;

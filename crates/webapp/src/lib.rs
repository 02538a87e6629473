//! The WebApplication controller: one resource becomes a production application.
//!
//! `resource -> observe -> validate -> plan -> apply -> status`, one module a phase. `validate` and `plan` are
//! pure; `idp-cli render` calls them too.

pub mod capabilities;
pub mod controller;
pub mod facts;
pub mod hosts;
mod ip_ranges;
pub mod kinds;
pub mod observe;
pub mod plan;
pub mod reasons;
pub mod render;
pub mod status;
pub mod validate;

/// Name of the controller: its field manager, its Lease and its label in metrics.
pub const NAME: &str = "idp-webapp";

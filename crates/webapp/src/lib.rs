//! The WebApplication controller: one resource becomes a production application.
//!
//! `resource -> observe -> validate -> plan -> apply -> status`, one file a phase. `validate` and `plan` are
//! pure, and are what `idp-cli render` calls too.

mod addresses;
pub mod capabilities;
pub mod controller;
pub mod facts;
pub mod holders;
mod host_index;
pub mod hosts;
pub mod kinds;
pub mod observe;
pub mod observed;
pub mod plan;
pub mod render;
pub mod reservations;
pub mod status;
pub mod validate;
pub mod validated;

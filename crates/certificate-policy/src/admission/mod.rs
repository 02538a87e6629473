//! What the admission policy reads: the union of what policies allow the hosts of routes.

mod controller;
mod grants;

pub use controller::AdmissionController;
pub use grants::{grants, hosts};

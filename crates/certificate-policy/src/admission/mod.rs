//! `AllowedHosts`, which the admission policy for WebApplications reads: the union of what the policies and the Environment
//! allow hosts of routes.

mod controller;
mod grants;
mod observe;
mod plan;
mod status;
mod validate;

pub use controller::AdmissionController;
pub use grants::{grants, hosts};

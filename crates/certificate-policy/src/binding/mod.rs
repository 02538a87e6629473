//! CertificateBindings: hosts of applications -> cert-manager's Certificates in the gateway's namespace.

mod controller;
mod observe;
mod plan;
mod status;
mod validate;

pub use controller::CertificateBindingController;
pub use observe::{Observed, ObservedHost};
pub use plan::plan;
pub use status::status;
pub use validate::{ValidHost, Validated, validate};

#[cfg(test)]
use status::recheck;
#[cfg(test)]
mod tests;

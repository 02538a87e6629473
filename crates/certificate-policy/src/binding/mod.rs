//! Bindings: hosts of applications -> cert-manager's Certificates beside the gateway.

mod controller;
mod holder;
mod observe;
mod plan;
mod problems;
mod status;
mod validate;

pub use controller::{CertificateBindingController, NAME};
pub use holder::{Claim, Holder, first};
pub use observe::{Observed, ObservedHost};
pub use plan::plan;
pub use status::status;
pub use validate::{ValidHost, Validated, validate};

pub(crate) use holder::{Register, issuer};
pub(crate) use problems::{HOST_TAKEN, host_taken, not_allowed_any_more};

#[cfg(test)]
use status::recheck;
#[cfg(test)]
mod tests;

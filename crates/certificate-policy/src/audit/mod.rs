//! CertificatePolicies: whether their entries are valid, and which existing objects violate them.

mod controller;
mod findings;
mod metrics;
mod observe;
mod status;
mod validate;

pub use controller::PolicyController;
pub use findings::{Findings, Subject, audit};
pub use observe::Observed;
pub use validate::Validated;

//! The approver of cert-manager's CertificateRequests.

mod controller;
mod observe;
mod status;
mod validate;

pub use controller::ApproverController;
pub use observe::Observed;
pub use validate::{Validated, validate};

//! The approver of certificate requests.

mod controller;
mod observe;
mod status;
mod validate;

pub use controller::ApproverController;
pub use observe::Observed;
pub use validate::{Verdict, validate};

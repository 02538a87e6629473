//! CertificatePolicy -> [`Validated`]. Pure.

use idp_api::CertificatePolicy;

use crate::rules::Policy;

/// The policy with its entries parsed. Those that are not valid are problems of the status, and allow nothing.
pub type Validated = Policy;

/// Parses the entries.
pub(super) fn validate(policy: &CertificatePolicy) -> Validated {
    Policy::from(policy)
}

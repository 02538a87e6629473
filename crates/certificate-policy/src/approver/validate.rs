//! [`Observed`] -> [`Validated`], the decision. Pure.

use super::observe::Observed;
use crate::{
    reasons::{HOST_TAKEN, SECRET_TAKEN},
    rules::{Decision, decide},
};

/// The decision on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validated {
    /// It is left unchanged.
    NotOurs,
    /// It is approved.
    Approve {
        /// The policy that allows it.
        policy: String,
    },
    /// It is denied.
    Deny {
        /// The first violation.
        reason: String,
        /// The closest policy, the field, and what is not allowed.
        message: String,
    },
}

/// Decides on a request.
pub fn validate(observed: &Observed) -> Validated {
    let Observed::Open(open) = observed else {
        return Validated::NotOurs;
    };
    let requirements = match &open.requirements {
        Ok(requirements) => requirements,
        Err(rejection) => {
            return Validated::Deny {
                reason: rejection.reason.clone(),
                message: format!(
                    "No CertificatePolicy can allow this request. {}",
                    rejection.message
                ),
            };
        }
    };
    if let Some(older) = &open.older_certificate {
        return Validated::Deny {
            reason: SECRET_TAKEN.name.to_owned(),
            message: format!(
                "The older Certificate {older} writes to Secret {}.",
                requirements.secret.as_deref().unwrap_or_default()
            ),
        };
    }
    if let Some((host, holder)) = &open.taken {
        return Validated::Deny {
            reason: HOST_TAKEN.name.to_owned(),
            message: format!(
                "Host {host} belongs to {holder}. No other namespace can have a certificate for it until it is removed there."
            ),
        };
    }
    match decide(&open.policies, &open.requester, requirements) {
        Decision::Allowed { policy } => Validated::Approve { policy },
        Decision::Denied(denial) => Validated::Deny {
            reason: denial.reason().name.to_owned(),
            message: denial.message("this request"),
        },
    }
}

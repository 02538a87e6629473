//! [`Observed`] -> verdict. Pure.

use super::observe::Observed;
use crate::{
    problems::HOST_TAKEN,
    rules::{Decision, decide},
};

/// What is to be done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    LeaveAlone,
    /// It is approved.
    Approve {
        /// The policy that allows it.
        policy: String,
    },
    /// It is denied.
    Deny {
        /// The rule that it breaks first.
        reason: String,
        /// Policy, field and why.
        message: String,
    },
}

/// Decides.
pub fn validate(observed: &Observed) -> Verdict {
    let Observed::Open(open) = observed else {
        return Verdict::LeaveAlone;
    };
    let content = match &open.content {
        Ok(content) => content,
        Err(flaw) => {
            return Verdict::Deny {
                reason: flaw.reason.clone(),
                message: format!("no CertificatePolicy can allow it: {}", flaw.message),
            };
        }
    };
    if let Some(rival) = &open.rival {
        return Verdict::Deny {
            reason: "SecretTaken".to_owned(),
            message: format!(
                "Secret {} is written by Certificate {rival}, which was there before",
                content.secret.as_deref().unwrap_or_default()
            ),
        };
    }
    if let Some((host, holder)) = &open.held {
        return Verdict::Deny {
            reason: HOST_TAKEN.to_owned(),
            message: format!(
                "host {host} belongs to {holder}: nobody else may have a certificate for it until it is taken out there"
            ),
        };
    }
    match decide(&open.policies, &open.asker, content) {
        Decision::Allowed { policy } => Verdict::Approve { policy },
        Decision::Denied(denial) => Verdict::Deny {
            reason: denial.reason().to_owned(),
            message: denial.message(),
        },
    }
}

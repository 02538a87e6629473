//! (Request, [`Validated`]) -> status. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::validate::Validated;
use crate::certificate_request::types::{
    APPROVED, CertificateRequest, CertificateRequestStatus, DENIED, RequestCondition,
};

/// Reason of the condition [`APPROVED`].
const ALLOWED: &str = "AllowedByPolicy";
/// Maximum length of a message: it shows names that users chose.
const MAX_MESSAGE_CHARS: usize = 2000;

/// Adds the decision, and preserves everything else.
pub(super) fn status(
    request: &CertificateRequest,
    validated: Option<&Validated>,
    now: Timestamp,
) -> CertificateRequestStatus {
    let mut status = request.status.clone().unwrap_or_default();
    let decision = match validated {
        None | Some(Validated::NotOurs) => return status,
        Some(Validated::Approve { policy }) => condition(
            APPROVED,
            ALLOWED,
            &format!("CertificatePolicy {policy} allows this request."),
            now,
        ),
        Some(Validated::Deny { reason, message }) => condition(DENIED, reason, message, now),
    };
    // A decision is final, whichever approver made it.
    if !status.is_decided() {
        status.conditions.push(decision);
    }
    status
}

fn condition(type_: &str, reason: &str, message: &str, now: Timestamp) -> RequestCondition {
    let message: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let rest = [
        ("reason", reason),
        ("message", &message),
        ("lastTransitionTime", &time),
    ];
    RequestCondition {
        type_: type_.to_owned(),
        status: "True".to_owned(),
        rest: Map::from_iter(rest.map(|(key, value)| (key.to_owned(), Value::from(value)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(conditions: &[(&str, &str)]) -> CertificateRequest {
        let mut request = CertificateRequest::new(
            "r",
            crate::certificate_request::types::CertificateRequestSpec::default(),
        );
        let conditions = conditions.iter().map(|(type_, status)| RequestCondition {
            type_: (*type_).to_owned(),
            status: (*status).to_owned(),
            rest: Map::new(),
        });
        request.status = Some(CertificateRequestStatus {
            conditions: conditions.collect(),
            ..CertificateRequestStatus::default()
        });
        request
    }

    #[test]
    fn a_decision_is_added_and_never_changed() {
        let deny = Validated::Deny {
            reason: "NameNotAllowed".into(),
            message: "x".repeat(10_000),
        };
        let denied = status(
            &request(&[("Ready", "False")]),
            Some(&deny),
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(denied.conditions.len(), 2);
        assert!(denied.is(DENIED) && !denied.is(APPROVED));
        assert_eq!(
            denied.conditions[1].rest["lastTransitionTime"],
            "1970-01-01T00:00:00Z"
        );
        assert_eq!(
            denied.conditions[1].rest["message"].as_str().unwrap().len(),
            MAX_MESSAGE_CHARS
        );
        for decided in [
            [("Approved", "True")],
            [("Denied", "True")],
            [("Approved", "False")],
        ] {
            let request = request(&decided);
            assert_eq!(
                Some(&status(&request, Some(&deny), Timestamp::UNIX_EPOCH)),
                request.status.as_ref()
            );
        }
        let open = request(&[]);
        assert_eq!(
            Some(&status(&open, Some(&Validated::NotOurs), Timestamp::UNIX_EPOCH)),
            open.status.as_ref()
        );
    }
}

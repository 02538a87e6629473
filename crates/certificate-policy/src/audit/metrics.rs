//! Metrics of policies and certificates.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use metrics::gauge;

use super::Findings;
use crate::{facts::CertificateFacts, rules::Policy};

/// Certificates (namespace, name) and policies (no namespace) with a published gauge. A deleted one is set to 0, because a
/// gauge cannot be removed.
static PUBLISHED: Mutex<BTreeSet<(String, String)>> = Mutex::new(BTreeSet::new());

/// Publishes the violations of each policy, and the expiry and renewal time of each certificate.
pub(super) fn publish<'a>(
    policies: &[Policy],
    findings: &Findings,
    certificates: impl Iterator<Item = (&'a str, &'a str, &'a CertificateFacts)>,
) {
    let mut published = PUBLISHED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut now = BTreeSet::new();
    for policy in policies {
        let count = findings.violations.get(&policy.name).map_or(0, BTreeSet::len);
        violations(&policy.name, count);
        now.insert((String::new(), policy.name.clone()));
    }
    for (namespace, name, facts) in certificates {
        expiry(
            namespace,
            name,
            facts.not_after.as_deref(),
            facts.renewal_time.as_deref(),
        );
        now.insert((namespace.to_owned(), name.to_owned()));
    }
    for (namespace, name) in published.difference(&now) {
        if namespace.is_empty() {
            violations(name, 0);
        } else {
            expiry(namespace, name, None, None);
        }
    }
    *published = now;
}

#[expect(clippy::cast_precision_loss, reason = "no cluster has 2^53 certificates")]
fn violations(policy: &str, count: usize) {
    gauge!("idp_certificate_policy_violations", "policy" => policy.to_owned()).set(count as f64);
}

fn expiry(namespace: &str, name: &str, not_after: Option<&str>, renewal_time: Option<&str>) {
    let labels = [("namespace", namespace.to_owned()), ("name", name.to_owned())];
    gauge!("idp_certificate_expiry_timestamp_seconds", &labels).set(seconds(not_after));
    gauge!("idp_certificate_renewal_timestamp_seconds", &labels).set(seconds(renewal_time));
}

/// Seconds since 1970; 0 if there is no such time.
#[expect(clippy::cast_precision_loss, reason = "no certificate lives that long")]
fn seconds(time: Option<&str>) -> f64 {
    time.and_then(|time| time.parse::<Timestamp>().ok())
        .map_or(0.0, |time| time.as_second() as f64)
}

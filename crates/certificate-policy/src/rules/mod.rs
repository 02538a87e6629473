//! Policies against the requirements of a certificate: a chain of pure functions, each with a reason, a field and a message.

mod checks;
mod policy;

use std::collections::BTreeMap;

use idp_core::Reason;

use crate::{
    certificate_request::requirements::{Issuer, Requirements},
    reasons::{NAMESPACE_NOT_SELECTED, NO_POLICY},
};

pub use policy::{Bounds, Policy, Template, policies};

/// The requester: the namespace of the application or Certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requester {
    /// Its name.
    pub namespace: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A rule that is violated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule, such as `NameNotAllowed`.
    pub reason: Reason,
    /// Field of the policy, such as `spec.names.dns`.
    pub field: &'static str,
    /// What is not allowed, as a clause without a full stop.
    pub message: String,
}

/// A rule: what the policy does not allow of the requirements.
type Check = fn(&Policy, &Requester, &Requirements) -> Option<Violation>;

/// The rules, in the order in which violations are listed.
const CHECKS: [Check; 11] = [
    checks::namespace,
    checks::issuer,
    checks::dns,
    checks::ips,
    checks::uris,
    checks::ca,
    checks::key,
    checks::usages,
    checks::lifetime,
    checks::renewal,
    checks::secret,
];

/// The decision on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// One policy allows everything.
    Allowed {
        /// Its name.
        policy: String,
    },
    /// No policy allows everything.
    Denied(Denial),
}

/// Why a request is denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denial {
    /// The closest policy; absent if there are no policies.
    pub policy: Option<String>,
    /// What that policy does not allow.
    pub violations: Vec<Violation>,
}

/// What one policy does not allow; empty if it allows everything.
pub fn violations(policy: &Policy, requester: &Requester, requirements: &Requirements) -> Vec<Violation> {
    CHECKS
        .iter()
        .filter_map(|check| check(policy, requester, requirements))
        .collect()
}

/// Decides on a request. It passes if one policy allows everything. Otherwise the denial names the closest policy: the one
/// with the fewest violations, and of several one that selects the namespace.
pub fn decide<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    requester: &Requester,
    requirements: &Requirements,
) -> Decision {
    let mut closest = Closest::default();
    for policy in policies {
        let violations = violations(policy, requester, requirements);
        if violations.is_empty() {
            return Decision::Allowed {
                policy: policy.name.clone(),
            };
        }
        closest.offer(policy, violations);
    }
    Decision::Denied(closest.denial())
}

/// The certificate that the platform orders for a host, and the name of the first policy that allows it.
///
/// # Errors
/// The denial by the closest policy.
pub fn plan<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    requester: &Requester,
    issuer: &Issuer,
    host: &str,
    secret: &str,
) -> Result<(String, Requirements), Denial> {
    let mut closest = Closest::default();
    for policy in policies {
        let requirements = policy.template().requirements(issuer, host, secret);
        let violations = violations(policy, requester, &requirements);
        if violations.is_empty() {
            return Ok((policy.name.clone(), requirements));
        }
        closest.offer(policy, violations);
    }
    Err(closest.denial())
}

/// The denial of the closest policy so far: the one with the fewest violations, and of two with equally many, the one that
/// selects the namespace.
#[derive(Default)]
struct Closest(Option<((usize, bool), Denial)>);

impl Closest {
    fn offer(&mut self, policy: &Policy, violations: Vec<Violation>) {
        let foreign = violations
            .iter()
            .any(|violation| violation.reason == NAMESPACE_NOT_SELECTED);
        let distance = (violations.len(), foreign);
        if self.0.as_ref().is_none_or(|(known, _)| distance < *known) {
            let policy = Some(policy.name.clone());
            self.0 = Some((distance, Denial { policy, violations }));
        }
    }

    fn denial(self) -> Denial {
        self.0.map_or_else(Denial::default, |(_, denial)| denial)
    }
}

impl Denial {
    /// The reason of the first violation.
    pub fn reason(&self) -> Reason {
        self.violations
            .first()
            .map_or(NO_POLICY, |violation| violation.reason)
    }

    /// One line: the closest policy, the fields, and what they do not allow of `subject`.
    pub fn message(&self, subject: &str) -> String {
        let Some(policy) = &self.policy else {
            return format!("The cluster has no CertificatePolicy that could allow {subject}.");
        };
        let violations: Vec<String> = self
            .violations
            .iter()
            .map(|violation| format!("{}: {}", violation.field, violation.message))
            .collect();
        format!(
            "No CertificatePolicy allows {subject}. The closest is {policy}, but {}.",
            violations.join("; ")
        )
    }

    /// What to do about a host that is denied.
    pub fn hint(&self) -> String {
        let Some(policy) = &self.policy else {
            return NO_POLICY.hint.to_owned();
        };
        let fields: Vec<&str> = self.violations.iter().map(|violation| violation.field).collect();
        format!(
            "Use another host, or ask the platform team to extend {} of CertificatePolicy {policy}. The change takes effect \
             within seconds.",
            fields.join(" and ")
        )
    }
}

#[cfg(test)]
pub(crate) mod tests;

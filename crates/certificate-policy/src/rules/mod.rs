//! Policies against what somebody asks for: chains of pure functions, each saying what is wrong and where.

mod checks;
mod policy;

use std::collections::BTreeMap;

use idp_core::Problem;

use crate::certificate_request::requirements::{Content, Issuer};

pub(crate) use policy::usage;
pub use policy::{Bounds, Policy, Template};

/// Who asks: the namespace whose application or Certificate it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asker {
    /// Its name.
    pub namespace: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// One word in CamelCase, such as `NameNotAllowed`.
    pub reason: &'static str,
    /// Field of the policy, such as `spec.names.dns`.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
}

/// A rule: what about `content` the policy does not allow.
type Check = fn(&Policy, &Asker, &Content) -> Option<Violation>;

/// The rules, in the order in which their violations are told.
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

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// One policy allows all of it.
    Allowed {
        /// Its name.
        policy: String,
    },
    /// None does.
    Denied(Denial),
}

/// Why a request is denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denial {
    /// The policy that comes nearest, if there is any.
    pub policy: Option<String>,
    /// What it does not allow; empty when there is no policy.
    pub violations: Vec<Violation>,
}

/// What one policy does not allow; empty when it allows all.
pub fn violations(policy: &Policy, asker: &Asker, content: &Content) -> Vec<Violation> {
    CHECKS
        .iter()
        .filter_map(|check| check(policy, asker, content))
        .collect()
}

/// Decides. A request passes when one policy allows all of it; otherwise the denial names the policy that comes
/// nearest: the one with the fewest broken rules, and of several the one that selects the namespace at all.
pub fn decide<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    asker: &Asker,
    content: &Content,
) -> Decision {
    let mut nearest = Nearest::default();
    for policy in policies {
        let violations = violations(policy, asker, content);
        if violations.is_empty() {
            return Decision::Allowed {
                policy: policy.name.clone(),
            };
        }
        nearest.offer(policy, violations);
    }
    Decision::Denied(nearest.denial())
}

/// What a policy allows for one host, as the platform's own certificates would be, and the policy's name; of several
/// policies the first.
///
/// # Errors
/// The denial by the policy that comes nearest.
pub fn plan<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    asker: &Asker,
    issuer: &Issuer,
    host: &str,
    secret: &str,
) -> Result<(String, Content), Denial> {
    let mut nearest = Nearest::default();
    for policy in policies {
        let content = policy.template().content(issuer, host, secret);
        let violations = violations(policy, asker, &content);
        if violations.is_empty() {
            return Ok((policy.name.clone(), content));
        }
        nearest.offer(policy, violations);
    }
    Err(nearest.denial())
}

/// The denial of the policy that comes nearest so far: the fewer rules are broken the nearer, and a policy that does
/// not select the namespace is the farther of two.
#[derive(Default)]
struct Nearest(Option<((usize, bool), Denial)>);

impl Nearest {
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

/// Reason: no policy of this name selects the namespace.
pub const NAMESPACE_NOT_SELECTED: &str = "NamespaceNotSelected";
/// Reason: there is no policy.
pub const NO_POLICY: &str = "NoPolicy";

impl Denial {
    /// The reason of the first broken rule.
    pub fn reason(&self) -> &'static str {
        self.violations
            .first()
            .map_or(NO_POLICY, |violation| violation.reason)
    }

    /// One line: the nearest policy, the fields, and why.
    pub fn message(&self) -> String {
        let Some(policy) = &self.policy else {
            return "there is no CertificatePolicy".to_owned();
        };
        let broken: Vec<String> = self
            .violations
            .iter()
            .map(|violation| format!("{}: {}", violation.field, violation.message))
            .collect();
        format!(
            "no CertificatePolicy allows it; {policy} comes nearest, but {}",
            broken.join("; ")
        )
    }

    /// What whoever wants the certificate can do.
    pub fn hint(&self) -> String {
        let Some(policy) = &self.policy else {
            return "the platform team adds a CertificatePolicy; it counts within seconds".to_owned();
        };
        let fields: Vec<&str> = self.violations.iter().map(|violation| violation.field).collect();
        format!(
            "change what is asked for, or have the platform team widen {} of CertificatePolicy {policy}; it counts \
             within seconds",
            fields.join(" and ")
        )
    }

    /// The denial as a problem of an application.
    pub fn problem(&self, host: &str, path: &str) -> Problem {
        Problem::error(self.reason(), format!("host {host}: {}", self.message()))
            .at(path)
            .hint(self.hint())
    }
}

#[cfg(test)]
pub(crate) mod tests;

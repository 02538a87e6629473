//! (Policy, what was found) -> status. Pure.

use idp_api::{CertificatePolicy, CertificatePolicyStatus};
use idp_core::{ConditionSet, condition::READY};
use jiff::Timestamp;
use kube::ResourceExt;

use super::observe::Observed;
use crate::rules::Policy;

/// Most violations that a status lists.
const LISTED: usize = 50;
/// Condition: nothing that exists violates the policy.
const COMPLIANT: &str = "Compliant";

pub(super) fn status(
    policy: &CertificatePolicy,
    observed: &Observed,
    read: Option<&Policy>,
    now: Timestamp,
) -> CertificatePolicyStatus {
    let empty = CertificatePolicyStatus::default();
    let previous = policy.status.as_ref().unwrap_or(&empty);
    let problems = read.map(|read| read.problems.clone()).unwrap_or_default();
    let name = policy.name_any();
    let violations = observed.findings.violations.get(&name);
    let count = violations.map_or(0, std::collections::BTreeSet::len);
    let allowed = observed.findings.allowed.get(&name).copied().unwrap_or_default();
    let (ready, reason, message) = match problems.first() {
        None => (true, "Understood", "every entry can be understood".to_owned()),
        Some(problem) => (false, "InvalidEntry", problem.to_string()),
    };
    let (compliant, why, found) = match violations.and_then(|violations| violations.first()) {
        None => (true, "NoViolations", "nothing that exists violates it".to_owned()),
        Some(first) => (
            false,
            "Violated",
            format!(
                "{count} objects violate it, such as {} {}/{}: {}",
                first.kind, first.namespace, first.name, first.message
            ),
        ),
    };
    CertificatePolicyStatus {
        observed_generation: policy.metadata.generation,
        conditions: ConditionSet::new(&previous.conditions, policy.metadata.generation, now)
            .set(READY, ready, reason, message)
            .set(COMPLIANT, compliant, why, found)
            .finish(),
        problems,
        certificates: Some(bounded(allowed)),
        violation_count: Some(bounded(count)),
        violations: violations.into_iter().flatten().take(LISTED).cloned().collect(),
    }
}

fn bounded(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

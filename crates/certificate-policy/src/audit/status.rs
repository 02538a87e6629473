//! (CertificatePolicy, [`Observed`]) -> status. Pure.

use idp_api::{CertificatePolicy, CertificatePolicyStatus};
use idp_core::{ConditionSet, condition::READY};
use jiff::Timestamp;
use kube::ResourceExt;

use super::observe::Observed;
use super::validate::Validated;
use crate::reasons::INVALID_ENTRY;

/// Maximum number of violations in a status.
const MAX_VIOLATIONS: usize = 50;
/// Condition: no existing object violates the policy.
const COMPLIANT: &str = "Compliant";

pub(super) fn status(
    policy: &CertificatePolicy,
    observed: &Observed,
    validated: Option<&Validated>,
    now: Timestamp,
) -> CertificatePolicyStatus {
    let empty = CertificatePolicyStatus::default();
    let previous = policy.status.as_ref().unwrap_or(&empty);
    let problems = validated
        .map(|policy| policy.problems.clone())
        .unwrap_or_default();
    let name = policy.name_any();
    let violations = observed.findings.violations.get(&name);
    let count = violations.map_or(0, std::collections::BTreeSet::len);
    let allowed = observed.findings.allowed.get(&name).copied().unwrap_or_default();
    let (ready, reason, message) = match problems.first() {
        None => (true, "Understood", "Every entry is valid.".to_owned()),
        Some(problem) => (false, INVALID_ENTRY.name, problem.to_string()),
    };
    let (compliant, why, found) = match violations.and_then(|violations| violations.first()) {
        None => (true, "NoViolations", "No object violates this policy.".to_owned()),
        Some(first) => (
            false,
            "Violated",
            format!(
                "{count} objects violate this policy, such as {} {}/{}: {}",
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
        violations: violations
            .into_iter()
            .flatten()
            .take(MAX_VIOLATIONS)
            .cloned()
            .collect(),
    }
}

fn bounded(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

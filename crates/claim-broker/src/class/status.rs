//! (class, `Observed`, what was applied) -> status. Pure.

use std::time::Duration;

use idp_api::{ClaimClass, ClaimClassStatus};
use idp_core::{
    ConditionSet, Problem,
    condition::{READY, STALLED},
};
use idp_runtime::Outcome;
use jiff::Timestamp;
use kube::ResourceExt;

use super::observe::Observed;
use crate::{class_template, facts::ClaimFacts, identity::NAME, reasons, retention, rules};

/// How soon a deletion that is due is looked at again, at the earliest: its end is an event anyway.
const MIN_REQUEUE: Duration = Duration::from_secs(5);

/// The next status of `class`.
pub fn status(
    class: &ClaimClass,
    observed: &Observed,
    outcome: &Outcome,
    now: Timestamp,
) -> ClaimClassStatus {
    let before = class
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    let mut problems = problems(class, observed);
    let remaining = remaining(observed, outcome);
    let (ready, reason, message) = match problems.first() {
        None => (true, "Usable", "Applications can use this class.".to_owned()),
        Some(problem) => (false, problem.reason.as_str(), problem.message.clone()),
    };
    let conditions = ConditionSet::new(before, class.metadata.generation, now)
        .set(READY, ready, reason, message.clone())
        .set_abnormal(STALLED, !ready, reason, message)
        .finish();
    // A claim that could not be deleted is reported here, but the class stays usable.
    if let Outcome::Applied(plan) = outcome {
        problems.extend(plan.problems.iter().cloned());
    }
    ClaimClassStatus {
        observed_generation: class.metadata.generation,
        conditions,
        problems,
        kept: u32::try_from(remaining.len()).unwrap_or(u32::MAX),
        // Claims that have a binding count too: deleting the binding is no event of the class.
        next_deletion: remaining
            .iter()
            .filter(|claim| !claim.deleting)
            .filter_map(|claim| claim.tombstone.as_ref())
            .filter(|tombstone| tombstone.delete)
            .map(|tombstone| tombstone.until.clone())
            .min(),
    }
}

/// When a class must be reconciled again without an event: when the next grace period is over.
pub fn requeue_after(status: &ClaimClassStatus, now: Timestamp) -> Option<Duration> {
    let next: Timestamp = status.next_deletion.as_ref()?.parse().ok()?;
    Some(
        Duration::try_from(next.duration_since(now))
            .unwrap_or_default()
            .max(MIN_REQUEUE),
    )
}

/// The claims that are retained after the actions.
fn remaining(observed: &Observed, outcome: &Outcome) -> Vec<ClaimFacts> {
    let acted = match outcome {
        Outcome::Applied(plan) => plan.actions.as_slice(),
        Outcome::Refused { .. } => &[],
    };
    let claims = observed.retained.iter().map(|retained| &retained.claim.claim);
    claims
        .filter_map(
            |claim| match acted.iter().find(|acted| acted.action.uid == claim.uid) {
                Some(acted) => retention::after(claim, acted),
                None => Some(claim.clone()),
            },
        )
        .collect()
}

fn problems(class: &ClaimClass, observed: &Observed) -> Vec<Problem> {
    let resource = &class.spec.resource;
    let kind = format!("{} {}", resource.api_version, resource.kind);
    let mut problems: Vec<Problem> = class_template::check(&class.spec)
        .iter()
        .map(|error| rules::invalid_class(&class.name_any(), error))
        .collect();
    if observed.kind.is_none() {
        problems.push(
            Problem::error(
                reasons::KIND_NOT_WATCHED,
                format!("The claim broker does not watch the kind {kind}."),
            )
            .at("spec.resource")
            .hint(format!(
                "Start {NAME} with --claim-kind for this kind, and add the kind to its ClusterRole."
            )),
        );
    } else if !observed.served {
        problems.push(
            Problem::error(
                reasons::KIND_NOT_SERVED,
                format!("The cluster does not serve the kind {kind}."),
            )
            .at("spec.resource")
            .hint("Install Crossplane and platform/compositions. The broker notices within 30 seconds."),
        );
    }
    problems
}

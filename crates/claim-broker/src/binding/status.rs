//! (`Validated`, what was applied) -> status. Pure; only applied objects count.

mod progress;
#[cfg(test)]
mod tests;

use std::time::Duration;

use idp_api::{
    ClaimBinding, ClaimBindingStatus,
    claim_binding::{ClaimPhase, ClaimRef},
    web_application::ChildStatus,
};
use idp_core::{
    Applied, ConditionSet, Plan, Problem, Severity,
    condition::{READY, RECONCILING, STALLED, SYNCED},
};
use idp_runtime::Outcome;
use jiff::Timestamp;

use super::{observe::Observed, root_cause, validate::Validated};
use crate::{
    facts::{ClaimFacts, parse},
    reasons, retention,
};

/// How long Crossplane may take to set the first condition of a new claim, in seconds.
const CROSSPLANE_TIMEOUT_SECONDS: i64 = 60;
/// Reason of `Reconciling` while the claim has no condition.
const WAITS_FOR_CROSSPLANE: &str = "WaitsForCrossplane";

/// The next status of `binding`.
pub fn status(
    binding: &ClaimBinding,
    observed: &Observed,
    validated: Option<&Validated>,
    outcome: &Outcome,
    now: Timestamp,
) -> ClaimBindingStatus {
    let empty = ClaimBindingStatus::default();
    let previous = binding.status.as_ref().unwrap_or(&empty);
    let (plan, rejected) = match outcome {
        Outcome::Applied(plan) => (plan, &[][..]),
        Outcome::Refused { problems, existing } => (existing, &problems[..]),
    };
    let claim = claim(plan, observed);
    let released = binding.spec.released;
    let version = progress::version(previous, claim.as_ref(), validated, released);
    let ready = claim.as_ref().is_some_and(works) && version.is_some();
    let phase = progress::phase(claim.as_ref(), released, ready, version.is_some(), rejected);
    let mut problems: Vec<Problem> = plan.problems.iter().chain(rejected).cloned().collect();
    if let Some(claim) = claim.as_ref().filter(|claim| !claim.deleting) {
        problems.extend(
            root_problem(claim, observed, ready || released).map(|problem| problem.at(&*binding.spec.path)),
        );
        problems.extend(unreachable(claim, now).map(|problem| problem.at(&*binding.spec.path)));
    }
    problems.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.cmp(other)));
    problems.dedup();

    let blocked = problems.iter().find(|problem| problem.is_error());
    let unsynced = !rejected.is_empty() || plan.problems.iter().any(Problem::is_error);
    let progress = progress(phase, claim.as_ref(), observed);
    let (is_ready, reason, message) = match blocked {
        Some(problem) => (false, problem.reason.as_str(), problem.message.clone()),
        None => (
            matches!(
                phase,
                ClaimPhase::Ready | ClaimPhase::Released | ClaimPhase::Deleted
            ),
            progress.0,
            progress.1,
        ),
    };
    let synced = if unsynced {
        (false, "ApplyFailed", "The claim is not as planned.")
    } else {
        (true, "Applied", "The claim is as planned.")
    };
    let conditions = ConditionSet::new(&previous.conditions, binding.metadata.generation, now)
        .set(READY, is_ready, reason, message.clone())
        .set(SYNCED, synced.0, synced.1, synced.2)
        .set_abnormal(
            RECONCILING,
            !is_ready && blocked.is_none(),
            reason,
            message.clone(),
        )
        .set_abnormal(STALLED, blocked.is_some(), reason, message)
        .finish();
    ClaimBindingStatus {
        observed_generation: binding.metadata.generation,
        conditions,
        problems,
        version,
        phase: Some(phase),
        claim: claim.as_ref().map(reference).or_else(|| previous.claim.clone()),
        secret: binding.spec.secret.clone(),
        tombstone: claim
            .as_ref()
            .filter(|_| released)
            .and_then(|claim| claim.tombstone.clone()),
        children: inventory(plan, claim.as_ref()),
    }
}

/// The claim after the plan and its actions; without a plan, as it was read.
fn claim(plan: &Plan<Applied>, observed: &Observed) -> Option<ClaimFacts> {
    let applied = plan
        .children
        .first()
        .and_then(|child| parse::<ClaimFacts>(&child.facts));
    let claim = applied.or_else(|| observed.claim.clone())?;
    match plan.actions.iter().find(|acted| acted.action.uid == claim.uid) {
        Some(acted) => retention::after(&claim, acted),
        None => Some(claim),
    }
}

/// Whether the claim can be used.
fn works(claim: &ClaimFacts) -> bool {
    match claim.phase.as_deref() {
        Some(phase) => phase == "Bound",
        None => claim.state.is_ready(),
    }
}

/// Reason and message of `Ready` while nothing is wrong.
fn progress(phase: ClaimPhase, claim: Option<&ClaimFacts>, observed: &Observed) -> (&'static str, String) {
    let waits = || {
        claim
            .map(|claim| root_cause::waits_for(claim, &observed.resources))
            .unwrap_or_default()
    };
    match (phase, claim) {
        (ClaimPhase::Ready, Some(claim)) => ("Available", format!("{} {} is ready.", claim.kind, claim.name)),
        (ClaimPhase::Released, Some(claim)) => match &claim.tombstone {
            Some(tombstone) if tombstone.delete => (
                "DeletionPlanned",
                format!(
                    "The data will be deleted after {}: {}.",
                    tombstone.until,
                    retention::deletion_cause(claim, tombstone)
                ),
            ),
            _ => (
                "DataKept",
                format!(
                    "The application no longer uses {} {}. Its data are retained.",
                    claim.kind, claim.name
                ),
            ),
        },
        (ClaimPhase::Deleted, _) => ("DataDeleted", "The data were deleted.".to_owned()),
        (ClaimPhase::Deleting, _) => ("Deleting", "The claim is being deleted with its data.".to_owned()),
        (_, Some(claim)) if claim.phase.is_some() => (
            "WaitsForVolume",
            format!("The volume {} is not bound yet.", claim.name),
        ),
        (_, Some(claim)) if !claim.state.is_known() => (
            WAITS_FOR_CROSSPLANE,
            format!(
                "{} {} was created. Crossplane has not processed it yet.",
                claim.kind, claim.name
            ),
        ),
        (_, Some(claim)) if claim.state.is_ready() => (
            "WaitsForSecret",
            format!(
                "{} {} is ready, but its connection Secret is not published yet.",
                claim.kind, claim.name
            ),
        ),
        _ => ("Creating", waits()),
    }
}

/// What Crossplane or the cloud reports; a warning while the claim works in spite of it.
fn root_problem(claim: &ClaimFacts, observed: &Observed, works: bool) -> Option<Problem> {
    let lost = claim.phase.as_deref() == Some("Lost");
    let mut problem = if lost {
        Problem::error(
            reasons::VOLUME_LOST,
            format!("The volume {} has lost its storage.", claim.name),
        )
    } else {
        root_cause::root(claim, &observed.resources)?
    };
    if works {
        problem.severity = Severity::Warning;
    }
    Some(problem)
}

/// The problem of a claim that Crossplane does not process.
fn unreachable(claim: &ClaimFacts, now: Timestamp) -> Option<Problem> {
    if claim.phase.is_some() || claim.state.is_known() {
        return None;
    }
    let created = claim.created.parse::<Timestamp>().ok()?;
    (now.duration_since(created).as_secs() >= CROSSPLANE_TIMEOUT_SECONDS).then(|| {
        Problem::warning(
            reasons::CROSSPLANE_UNREACHABLE,
            format!(
                "Crossplane has not processed {} {}, created at {}.",
                claim.kind, claim.name, claim.created
            ),
        )
    })
}

fn reference(claim: &ClaimFacts) -> ClaimRef {
    ClaimRef {
        api_version: claim.api_version.clone(),
        kind: claim.kind.clone(),
        name: claim.name.clone(),
        uid: claim.uid.clone(),
    }
}

/// The claim, even if the plan does not have it.
fn inventory(plan: &Plan<Applied>, claim: Option<&ClaimFacts>) -> Vec<ChildStatus> {
    let held = plan.children.first().and_then(|child| child.held.clone());
    claim
        .map(|claim| ChildStatus {
            api_version: claim.api_version.clone(),
            kind: claim.kind.clone(),
            name: claim.name.clone(),
            namespace: None,
            uid: claim.uid.clone(),
            held,
        })
        .into_iter()
        .collect()
}

/// When a binding must be reconciled again without an event.
pub fn requeue_after(status: &ClaimBindingStatus, now: Timestamp) -> Option<Duration> {
    let undecided = |problem: &Problem| problem.reason == reasons::QUOTA_UNDECIDED;
    if status.problems.iter().any(undecided) {
        return Some(Duration::from_secs(2));
    }
    let waits = status
        .conditions
        .iter()
        .any(|condition| condition.reason == WAITS_FOR_CROSSPLANE);
    let unreachable = status
        .problems
        .iter()
        .any(|problem| problem.reason == reasons::CROSSPLANE_UNREACHABLE);
    if waits && !unreachable {
        return Some(Duration::from_secs(CROSSPLANE_TIMEOUT_SECONDS as u64 / 4));
    }
    let tombstone = status.tombstone.as_ref().filter(|tombstone| tombstone.delete)?;
    let until: Timestamp = tombstone.until.parse().ok()?;
    // Not at once: a deletion that is due is running, and its end is an event.
    Some(
        Duration::try_from(until.duration_since(now))
            .unwrap_or_default()
            .max(Duration::from_secs(5)),
    )
}

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

use crate::{
    cause,
    facts::{ClaimFacts, parse},
    observed::Observed,
    reason, tombstone,
    validate::Validated,
};

/// How long Crossplane may take to say anything of a new claim.
const SILENCE: i64 = 60;
/// Reason of `Reconciling` while Crossplane has said nothing.
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
    let (plan, refused) = match outcome {
        Outcome::Applied(plan) => (plan, &[][..]),
        Outcome::Refused { problems, existing } => (existing, &problems[..]),
    };
    let claim = claim(plan, observed);
    let released = binding.spec.released;
    let version = progress::version(previous, claim.as_ref(), validated, released);
    let ready = claim.as_ref().is_some_and(works) && version.is_some();
    let phase = progress::phase(claim.as_ref(), released, ready, version.is_some(), refused);
    let mut problems: Vec<Problem> = plan.problems.iter().chain(refused).cloned().collect();
    if let Some(claim) = claim.as_ref().filter(|claim| !claim.deleting) {
        problems.extend(
            root_problem(claim, observed, ready || released).map(|problem| problem.at(&*binding.spec.path)),
        );
        problems.extend(silent(claim, now).map(|problem| problem.at(&*binding.spec.path)));
    }
    problems.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.cmp(other)));
    problems.dedup();

    let blocked = problems.iter().find(|problem| problem.is_error());
    let unsynced = !refused.is_empty() || plan.problems.iter().any(Problem::is_error);
    let told = told(phase, claim.as_ref(), observed);
    let (is_ready, why, message) = match blocked {
        Some(problem) => (false, problem.reason.as_str(), problem.message.clone()),
        None => (
            matches!(
                phase,
                ClaimPhase::Ready | ClaimPhase::Released | ClaimPhase::Deleted
            ),
            told.0,
            told.1,
        ),
    };
    let synced = if unsynced {
        (false, "ApplyFailed", "the claim is not as planned")
    } else {
        (true, "Applied", "the claim is as planned")
    };
    let conditions = ConditionSet::new(&previous.conditions, binding.metadata.generation, now)
        .set(READY, is_ready, why, message.clone())
        .set(SYNCED, synced.0, synced.1, synced.2)
        .set_abnormal(RECONCILING, !is_ready && blocked.is_none(), why, message.clone())
        .set_abnormal(STALLED, blocked.is_some(), why, message)
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

/// The claim as it is after the plan was applied and acted; without a plan, as it was seen.
fn claim(plan: &Plan<Applied>, observed: &Observed) -> Option<ClaimFacts> {
    let applied = plan
        .children
        .first()
        .and_then(|child| parse::<ClaimFacts>(&child.facts));
    let claim = applied.or_else(|| observed.claim.clone())?;
    match plan.actions.iter().find(|acted| acted.action.uid == claim.uid) {
        Some(acted) => tombstone::after(&claim, acted),
        None => Some(claim),
    }
}

/// A volume that waits for its first pod works as far as anybody can tell.
fn works(claim: &ClaimFacts) -> bool {
    match claim.phase.as_deref() {
        Some(phase) => phase == "Bound",
        None => claim.state.is_ready(),
    }
}

/// Reason and message of `Ready` while nothing is wrong.
fn told(phase: ClaimPhase, claim: Option<&ClaimFacts>, observed: &Observed) -> (&'static str, String) {
    let waits = || {
        claim
            .map(|claim| cause::waits_for(claim, &observed.resources))
            .unwrap_or_default()
    };
    match (phase, claim) {
        (ClaimPhase::Ready, Some(claim)) => ("Available", format!("{} {} is ready", claim.kind, claim.name)),
        (ClaimPhase::Released, Some(claim)) => match &claim.tombstone {
            Some(tombstone) if tombstone.delete => (
                "DeletionPlanned",
                format!(
                    "the data are deleted after {}, {}",
                    tombstone.until,
                    tombstone::reason(claim, tombstone)
                ),
            ),
            _ => (
                "DataKept",
                format!(
                    "the application does not want {} {} any more; its data are kept",
                    claim.kind, claim.name
                ),
            ),
        },
        (ClaimPhase::Deleted, _) => ("DataDeleted", "the data are deleted".to_owned()),
        (ClaimPhase::Deleting, _) => ("Deleting", "the claim is being deleted with its data".to_owned()),
        (_, Some(claim)) if claim.phase.is_some() => (
            "WaitsForVolume",
            format!("the volume {} is not bound yet", claim.name),
        ),
        (_, Some(claim)) if !claim.state.is_known() => (
            WAITS_FOR_CROSSPLANE,
            format!(
                "{} {} was made; Crossplane has not answered yet",
                claim.kind, claim.name
            ),
        ),
        (_, Some(claim)) if claim.state.is_ready() => (
            "WaitsForSecret",
            format!(
                "{} {} is ready, but its connection Secret is not published yet",
                claim.kind, claim.name
            ),
        ),
        _ => ("Creating", waits()),
    }
}

/// What Crossplane or the cloud says is wrong; a warning as long as it works nevertheless.
fn root_problem(claim: &ClaimFacts, observed: &Observed, works: bool) -> Option<Problem> {
    let lost = claim.phase.as_deref() == Some("Lost");
    let mut problem = if lost {
        Problem::error(
            reason::VOLUME_LOST,
            format!("the volume {} has lost its storage", claim.name),
        )
        .hint("the platform team restores the PersistentVolume")
    } else {
        cause::root(claim, &observed.resources)?
    };
    if works {
        problem.severity = Severity::Warning;
    }
    Some(problem)
}

fn silent(claim: &ClaimFacts, now: Timestamp) -> Option<Problem> {
    if claim.phase.is_some() || claim.state.is_known() {
        return None;
    }
    let created = claim.created.parse::<Timestamp>().ok()?;
    (now.duration_since(created).as_secs() >= SILENCE).then(|| {
        Problem::warning(
            reason::CROSSPLANE_SILENT,
            format!("Crossplane has said nothing of {} {} since {}", claim.kind, claim.name, claim.created),
        )
        .hint("the platform team looks whether Crossplane runs, and whether it knows the kind; it goes on by itself then")
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

/// The claim, also where no plan holds it.
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

/// When a binding must be looked at again though nothing happens.
pub fn recheck(status: &ClaimBindingStatus, now: Timestamp) -> Option<Duration> {
    let undecided = |problem: &Problem| problem.reason == reason::QUOTA_UNDECIDED;
    if status.problems.iter().any(undecided) {
        return Some(Duration::from_secs(2));
    }
    let waits = status
        .conditions
        .iter()
        .any(|condition| condition.reason == WAITS_FOR_CROSSPLANE);
    let silent = status
        .problems
        .iter()
        .any(|problem| problem.reason == reason::CROSSPLANE_SILENT);
    if waits && !silent {
        return Some(Duration::from_secs(SILENCE as u64 / 4));
    }
    let tombstone = status.tombstone.as_ref().filter(|tombstone| tombstone.delete)?;
    let until: Timestamp = tombstone.until.parse().ok()?;
    // Never at once: what is due is being done, and its end is an event.
    Some(
        Duration::try_from(until.duration_since(now))
            .unwrap_or_default()
            .max(Duration::from_secs(5)),
    )
}

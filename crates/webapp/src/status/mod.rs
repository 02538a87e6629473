//! (`Observed`, `Validated`, applied objects) -> status. Pure. Only applied objects count.

mod concern;
mod routes;
mod supplies;
mod workload;

use idp_api::{WebApplication, WebApplicationStatus, web_application::ChildStatus};
use idp_core::{
    Applied, ConditionSet, Plan, Problem,
    condition::{READY, RECONCILING, STALLED, SYNCED},
};
use idp_runtime::Outcome;
use jiff::Timestamp;
use kube::{Resource, ResourceExt};

use self::concern::Concern;
use crate::{facts::PodFailure, observe::Observed, reasons, validate::Validated};

/// Condition: the pods are ready.
pub const WORKLOAD_READY: &str = "WorkloadReady";
/// Condition: the routes are configured.
pub const ROUTES_READY: &str = "RoutesReady";

/// Whether a status only reports progress: it has no errors, so nobody must act.
pub fn is_progress(status: &WebApplicationStatus) -> bool {
    let mut conditions = status.conditions.iter();
    let works = conditions.any(|condition| condition.type_ == RECONCILING && condition.is_true());
    works && !status.problems.iter().any(Problem::is_error)
}

/// The next status of `app`.
pub fn status(
    app: &WebApplication,
    observed: &Observed,
    validated: Option<&Validated>,
    outcome: &Outcome,
    now: Timestamp,
) -> WebApplicationStatus {
    let empty = WebApplicationStatus::default();
    let previous = app.status.as_ref().unwrap_or(&empty);
    let (plan, refused) = match outcome {
        Outcome::Applied(plan) => (plan, &[][..]),
        Outcome::Refused { problems, existing } => (existing, &problems[..]),
    };
    let deployment = workload::deployment(&app.name_any(), plan);
    let mut problems: Vec<Problem> = plan.problems.iter().chain(refused).cloned().collect();
    let supplies = supplies::supplies(plan);
    problems.extend(supplies.iter().flat_map(|supply| supply.problems.clone()));
    problems.extend(observed.pod_failures.iter().map(pod_problem));
    if let Some((reason, message)) = deployment.as_ref().and_then(|facts| facts.failure.clone()) {
        problems.push(rollout_problem(&reason, &message));
    }
    // Errors first, each once: several pods of an application mostly fail for the same reason.
    problems.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.cmp(other)));
    problems.dedup_by(|one, other| {
        (&one.reason, &one.path) == (&other.reason, &other.path) && one.path.is_none()
    });

    let synced = synced(plan, refused);
    let first = validated.and_then(crate::plan::awaited);
    let workload = workload::workload(deployment.as_ref(), plan, first.as_deref(), &app.name_any());
    let routes = routes::routes(validated.map(|v| v.routes.as_slice()), plan);
    let stopped = problems.iter().find(|problem| problem.is_error());
    let awaited = supplies
        .iter()
        .filter(|supply| supply.awaited)
        .map(|supply| &supply.concern);
    let overall = std::iter::once(&synced)
        .chain(awaited)
        .chain([&workload, &routes])
        .find(|concern| !concern.ready);
    let (ready, reason, message) = match (overall, stopped) {
        (None, None) => (true, "Available".to_owned(), workload.message.clone()),
        (_, Some(problem)) => (false, problem.reason.clone(), in_short(problem)),
        (Some(concern), None) => (false, concern.reason.clone(), concern.message.clone()),
    };
    let conditions = ConditionSet::new(&previous.conditions, app.meta().generation, now)
        .set(READY, ready, &reason, message.clone())
        .set(SYNCED, synced.ready, &synced.reason, synced.message);
    let conditions = supplies.into_iter().fold(conditions, |conditions, supply| {
        let Concern {
            ready,
            reason,
            message,
        } = supply.concern;
        conditions.set(supply.condition, ready, &reason, message)
    });
    let conditions = conditions
        .set(WORKLOAD_READY, workload.ready, &workload.reason, workload.message)
        .set(ROUTES_READY, routes.ready, &routes.reason, routes.message)
        .set_abnormal(RECONCILING, !ready && stopped.is_none(), &reason, message.clone())
        .set_abnormal(STALLED, stopped.is_some(), &reason, message)
        .finish();
    WebApplicationStatus {
        observed_generation: app.meta().generation,
        conditions,
        problems,
        children: ChildStatus::inventory(plan, app.meta().namespace.as_deref()),
        // Without a plan, what runs keeps running, under its previous address.
        url: validated.map_or_else(|| previous.url.clone(), routes::url),
        replicas: Some(deployment.as_ref().map_or(0, |facts| facts.replicas)),
        ready_replicas: Some(deployment.as_ref().map_or(0, |facts| facts.ready)),
        selector: Some(selector(&app.name_any())),
        environment: validated.map_or_else(|| previous.environment.clone(), |v| Some(v.environment.clone())),
    }
}

fn synced(plan: &Plan<Applied>, refused: &[Problem]) -> Concern {
    if !refused.is_empty() {
        let message = "Spec rejected; no objects changed. See status.problems.";
        return Concern::new(false, "Refused", message);
    }
    match plan.problems.iter().filter(|problem| problem.is_error()).count() {
        0 => {
            let message = format!("All {} objects are applied.", plan.children.len());
            Concern::new(true, "Applied", message)
        }
        failed => {
            let message = format!("Not all objects are applied: {failed} errors. See status.problems.");
            Concern::new(false, "ApplyFailed", message)
        }
    }
}

fn pod_problem(failure: &PodFailure) -> Problem {
    let message = format!("Pod {}: {}", failure.pod, failure.message);
    reported(&failure.reason, &message, "Run kubectl describe pod.")
}

fn rollout_problem(reason: &str, message: &str) -> Problem {
    reported(reason, message, "Run kubectl describe deployment.")
}

/// A problem with a reason of Kubernetes. A known reason has its own hint; others get `hint`.
fn reported(reason: &str, message: &str, hint: &str) -> Problem {
    match reasons::ALL.iter().find(|known| known.name == reason) {
        Some(known) => Problem::error(*known, message),
        None => Problem::reported(reason, message).hint(hint),
    }
}

/// A problem in one line, for a condition. Its hint is in `problems[]`.
fn in_short(problem: &Problem) -> String {
    match &problem.path {
        Some(path) => format!("{path}: {}", problem.message),
        None => problem.message.clone(),
    }
}

fn selector(name: &str) -> String {
    let pairs = idp_core::labels::selector(name);
    pairs
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_work_without_errors_is_progress() {
        let status = |condition: &str, problems: Vec<Problem>| WebApplicationStatus {
            conditions: ConditionSet::new(&[], None, Timestamp::UNIX_EPOCH)
                .set(condition, true, "Any", "")
                .finish(),
            problems,
            ..WebApplicationStatus::default()
        };
        assert!(is_progress(&status(
            RECONCILING,
            vec![Problem::warning(crate::reasons::NO_ISSUER, "")]
        )));
        assert!(!is_progress(&status(
            RECONCILING,
            vec![Problem::error(crate::reasons::HOST_TAKEN, "")]
        )));
        assert!(!is_progress(&status(READY, Vec::new())));
        assert!(!is_progress(&WebApplicationStatus::default()));
    }
}

//! (`Observed`, `Validated`, applied objects) -> status. Pure. Only applied objects count.

mod supplies;

use idp_api::{WebApplication, WebApplicationStatus, web_application::ChildStatus};
use idp_core::{
    Applied, AppliedChild, ConditionSet, Plan, Problem,
    condition::{READY, RECONCILING, STALLED, SYNCED},
};
use idp_runtime::Outcome;
use jiff::Timestamp;
use kube::{Resource, ResourceExt};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    facts::{DeploymentFacts, PodFailure},
    kinds::{DEPLOYMENT, GATEWAY, VIRTUAL_SERVICE},
    observe::Observed,
    reasons,
    validate::{ValidRoute, Validated},
};

/// Condition: the pods are ready.
pub const WORKLOAD_READY: &str = "WorkloadReady";
/// Condition: the routes are configured.
pub const ROUTES_READY: &str = "RoutesReady";

/// One concern of the application: whether it is ready, and if not, why.
struct Concern {
    ready: bool,
    reason: String,
    message: String,
}

impl Concern {
    fn new(ready: bool, reason: &str, message: impl Into<String>) -> Self {
        Self {
            ready,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }
}

/// Whether a status only tells that work is under way: nothing is wrong that somebody must mend.
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
    let deployment = deployment(&app.name_any(), plan);
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
    let workload = workload(deployment.as_ref(), plan, first.as_deref(), &app.name_any());
    let routes = routes(validated.map(|v| v.routes.as_slice()), plan);
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
        url: validated.map_or_else(|| previous.url.clone(), url),
        replicas: Some(deployment.as_ref().map_or(0, |facts| facts.replicas)),
        ready_replicas: Some(deployment.as_ref().map_or(0, |facts| facts.ready)),
        selector: Some(selector(&app.name_any())),
        environment: validated.map_or_else(|| previous.environment.clone(), |v| Some(v.environment.clone())),
    }
}

fn deployment(name: &str, plan: &Plan<Applied>) -> Option<DeploymentFacts> {
    DeploymentFacts::deserialize(&plan.child(DEPLOYMENT, name)?.facts).ok()
}

fn synced(plan: &Plan<Applied>, refused: &[Problem]) -> Concern {
    if !refused.is_empty() {
        return Concern {
            ready: false,
            reason: "Refused".to_owned(),
            message: "Spec rejected; no objects changed. See status.problems.".to_owned(),
        };
    }
    match plan.problems.iter().filter(|problem| problem.is_error()).count() {
        0 => Concern {
            ready: true,
            reason: "Applied".to_owned(),
            message: format!("All {} objects are applied.", plan.children.len()),
        },
        failed => Concern {
            ready: false,
            reason: "ApplyFailed".to_owned(),
            message: format!("Not all objects are applied: {failed} errors. See status.problems."),
        },
    }
}

fn workload(
    deployment: Option<&DeploymentFacts>,
    plan: &Plan<Applied>,
    awaited: Option<&str>,
    name: &str,
) -> Concern {
    if let Some(held) = plan
        .children
        .iter()
        .filter(|c| c.kind == DEPLOYMENT)
        .find_map(|c| c.held.as_ref())
    {
        return Concern {
            ready: false,
            reason: "Waiting".to_owned(),
            message: format!("The rollout {held}."),
        };
    }
    let Some(facts) = deployment else {
        return match awaited {
            Some(because) => Concern::new(false, "Waiting", format!("The first start {because}.")),
            None => Concern::new(
                false,
                "NotStarted",
                format!("Deployment {name} does not exist yet."),
            ),
        };
    };
    let mut progress = format!("{} of {} pods are ready", facts.available, facts.wanted);
    if facts.updated < facts.wanted {
        progress += &format!(", {} of the current version", facts.updated);
    }
    progress.push('.');
    let current = facts.observed_generation >= facts.generation;
    if current
        && facts.updated >= facts.wanted
        && facts.available >= facts.wanted
        && facts.replicas <= facts.wanted
    {
        return Concern {
            ready: true,
            reason: "Available".to_owned(),
            message: progress,
        };
    }
    Concern {
        ready: false,
        reason: "RollingOut".to_owned(),
        message: progress,
    }
}

fn routes(wanted: Option<&[ValidRoute]>, plan: &Plan<Applied>) -> Concern {
    let configured = |kind| plan.children.iter().filter(|child| child.kind == kind).count();
    match wanted {
        Some([]) => Concern {
            ready: true,
            reason: "NoRoutes".to_owned(),
            message: "The application has no routes.".to_owned(),
        },
        None if configured(VIRTUAL_SERVICE) == 0 => Concern {
            ready: false,
            reason: "Refused".to_owned(),
            message: "No routes are configured.".to_owned(),
        },
        None => Concern {
            ready: true,
            reason: "Kept".to_owned(),
            message: "The routes are unchanged.".to_owned(),
        },
        Some(wanted) => {
            let missing: Vec<&str> = wanted
                .iter()
                .map(|route| route.host.as_str())
                .filter(|host| {
                    let is_served =
                        |child: &AppliedChild| child.kind == VIRTUAL_SERVICE && serves(&child.facts, host);
                    !plan.children.iter().any(is_served)
                })
                .collect();
            let own_gateway_missing =
                wanted.iter().any(|route| route.gateway.is_none()) && configured(GATEWAY) == 0;
            if missing.is_empty() && !own_gateway_missing {
                Concern {
                    ready: true,
                    reason: "Configured".to_owned(),
                    message: format!("All {} routes are configured.", wanted.len()),
                }
            } else {
                Concern {
                    ready: false,
                    reason: "Configuring".to_owned(),
                    message: format!("Not configured yet: {}.", missing.join(", ")),
                }
            }
        }
    }
}

/// Whether the facts of a VirtualService include the host.
fn serves(facts: &Value, host: &str) -> bool {
    let hosts = facts["hosts"].as_array().into_iter().flatten();
    hosts.into_iter().any(|held| held == host)
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

/// Address of the first route.
fn url(app: &Validated) -> Option<String> {
    let route = app.routes.first()?;
    let path = if route.path == "/" { "" } else { &route.path };
    let (scheme, port) = match (&route.tls_secret, app.gateway.https_port) {
        (None, _) => ("http", String::new()),
        (Some(_), None | Some(443)) => ("https", String::new()),
        (Some(_), Some(port)) => ("https", format!(":{port}")),
    };
    Some(format!("{scheme}://{}{port}{path}", route.host))
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
    use serde_json::json;

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

    #[test]
    fn a_route_is_configured_when_a_virtual_service_names_its_host() {
        let object = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "a"}, "spec": {"hosts": ["a.example.com"]},
        });
        let facts = crate::facts::virtual_service(&serde_json::from_value(object).unwrap());
        assert!(serves(&facts, "a.example.com"));
        assert!(!serves(&facts, "b.example.com"));
        assert!(!serves(&Value::Null, "a.example.com"));
    }
}

//! `idp-cli tree`: the objects of an application, including those of its bindings.

use std::fmt::Write as _;

use anyhow::Result;
use idp_api::{binding::BindingStatus, web_application::ChildStatus};
use idp_core::{Kind, Problem, condition, visible};
use idp_runtime::reading::{RawObject, list_raw};
use idp_webapp::kinds;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Client, ResourceExt,
    api::{ApiResource, ListParams},
};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    online::seen,
    show::{ApplicationArgs, get, heading},
    terminal::emit,
};

/// An object of the application.
struct Branch {
    name: String,
    state: String,
    /// Name and state of its dependents.
    twigs: Vec<(String, String)>,
}

/// Prints the application and its objects.
pub(crate) async fn tree(client: Client, args: &ApplicationArgs) -> Result<()> {
    let app = get(&client, args).await?;
    let namespace = app.namespace().unwrap_or_default();
    let status = app.status.clone().unwrap_or_default();
    let selected =
        ListParams::default().labels(&format!("{}={}", idp_core::labels::APPLICATION, app.name_any()));
    let pods = list_raw(
        &client,
        &ApiResource::erase::<Pod>(&()),
        Some(&namespace),
        &selected,
    )
    .await?;
    let pods: Vec<Pod> = pods.into_iter().filter_map(|pod| pod.typed().ok()).collect();
    let mut branches = Vec::new();
    for child in &status.children {
        let mut branch = branch(&client, &namespace, child).await;
        if child.kind == kinds::DEPLOYMENT.kind {
            branch
                .twigs
                .extend(pods.iter().filter(|pod| is_of_deployment(pod)).map(pod_twig));
        }
        branches.push(branch);
    }
    emit(&format!("{}{}", heading(&app, &status), draw(&branches)))
}

/// A child. If it is held, the reason is its state.
async fn branch(client: &Client, namespace: &str, child: &ChildStatus) -> Branch {
    let (state, twigs) = look(client, namespace, child).await;
    Branch {
        name: format!("{}/{}", child.kind, child.name),
        state: child.held.clone().unwrap_or(state),
        twigs,
    }
}

/// State of a child from its live object, and its dependents.
async fn look(client: &Client, namespace: &str, child: &ChildStatus) -> (String, Vec<(String, String)>) {
    let Some(kind) = kinds::of_child(&child.api_version, &child.kind) else {
        return Default::default();
    };
    let is_binding = kinds::BINDINGS.contains(&kind);
    if child.held.is_some() && !is_binding {
        return Default::default();
    }
    let found = seen(client, kind, Some(namespace)).get_opt(&child.name).await;
    match found.map(|found| found.map(RawObject::dynamic)) {
        Ok(Some(object)) if is_binding => {
            let status = BindingStatus::deserialize(&object.data["status"]).unwrap_or_default();
            (binding_state(&status), status.children.iter().map(twig).collect())
        }
        Ok(Some(object)) => (describe(&kind, &object.data), Vec::new()),
        Ok(None) => ("missing".to_owned(), Vec::new()),
        Err(error) => (format!("unknown: {error}"), Vec::new()),
    }
}

/// Whether a binding is ready; if not, the cause.
fn binding_state(status: &BindingStatus) -> String {
    let ready = status
        .conditions
        .iter()
        .find(|found| found.type_ == condition::READY);
    match (
        ready,
        status.problems.iter().find(|problem| Problem::is_error(problem)),
    ) {
        (None, _) => "not processed yet".to_owned(),
        (Some(ready), _) if ready.is_true() => "Ready".to_owned(),
        (Some(_), Some(problem)) => format!("{}: {}", problem.reason, problem.message),
        (Some(ready), None) => format!("{}: {}", ready.reason, ready.message),
    }
}

/// An object of a binding. The binding itself shows its state.
fn twig(child: &ChildStatus) -> (String, String) {
    let place = child.namespace.as_ref();
    let state = place.map_or_else(String::new, |namespace| format!("in {namespace}"));
    (format!("{}/{}", child.kind, child.name), state)
}

fn describe(kind: &Kind, object: &Value) -> String {
    let (spec, status) = (&object["spec"], &object["status"]);
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    match *kind {
        kinds::DEPLOYMENT => {
            format!(
                "{} of {} pods available",
                number(&status["availableReplicas"]),
                number(&spec["replicas"])
            )
        }
        kinds::AUTOSCALER => format!(
            "{} to {} pods",
            number(&spec["minReplicas"]),
            number(&spec["maxReplicas"])
        ),
        kinds::SERVICE => spec["clusterIP"].as_str().unwrap_or_default().to_owned(),
        kinds::JOB if number(&status["succeeded"]) > 0 => "succeeded".to_owned(),
        kinds::JOB => format!(
            "{} failed, {} active",
            number(&status["failed"]),
            number(&status["active"])
        ),
        kinds::CRON_JOB if spec["suspend"] == true => "suspended, start it by hand".to_owned(),
        kinds::CRON_JOB => spec["schedule"].as_str().unwrap_or_default().to_owned(),
        kinds::VIRTUAL_SERVICE => {
            let hosts = spec["hosts"].as_array().into_iter().flatten();
            hosts.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    }
}

fn is_of_deployment(pod: &Pod) -> bool {
    pod.owner_references()
        .iter()
        .any(|owner| owner.kind == "ReplicaSet")
}

fn pod_twig(pod: &Pod) -> (String, String) {
    let status = pod.status.as_ref();
    let ready = status
        .and_then(|s| s.conditions.as_ref())
        .is_some_and(|conditions| {
            conditions
                .iter()
                .any(|condition| condition.type_ == "Ready" && condition.status == "True")
        });
    let phase = status.and_then(|s| s.phase.clone()).unwrap_or_default();
    let state = if ready { "Ready".to_owned() } else { phase };
    (format!("Pod/{}", pod.name_any()), state)
}

/// Lines with the branches of the tree, and the states in one column.
fn draw(branches: &[Branch]) -> String {
    let mut lines: Vec<(String, &str)> = Vec::new();
    for (index, branch) in branches.iter().enumerate() {
        let last = index + 1 == branches.len();
        let lead = if last { "└─ " } else { "├─ " };
        lines.push((format!("{lead}{}", branch.name), &branch.state));
        let trunk = if last { "   " } else { "│  " };
        for (index, (name, state)) in branch.twigs.iter().enumerate() {
            let last = index + 1 == branch.twigs.len();
            let lead = if last { "└─ " } else { "├─ " };
            lines.push((format!("{trunk}{lead}{name}"), state));
        }
    }
    let width = lines.iter().map(|(line, _)| line.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut text = String::new();
    for (line, state) in lines {
        let (line, state) = (visible::line(&line), visible::line(state));
        let _ = writeln!(text, "{}", format!("{line:<width$}   {state}").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use idp_core::Condition;

    use super::*;

    #[test]
    fn the_tree_closes_its_branches() {
        let branch = |name: &str, twigs: &[&str]| Branch {
            name: name.to_owned(),
            state: "x".to_owned(),
            twigs: twigs
                .iter()
                .map(|twig| ((*twig).to_owned(), "y".to_owned()))
                .collect(),
        };
        let branches = [
            branch("Binding/a", &["Claim/a"]),
            branch("Service/a", &[]),
            branch("Deployment/a", &["Pod/a-1", "Pod/a-2"]),
        ];
        let expected = "\
├─ Binding/a      x
│  └─ Claim/a     y
├─ Service/a      x
└─ Deployment/a   x
   ├─ Pod/a-1     y
   └─ Pod/a-2     y
";
        assert_eq!(draw(&branches), expected);
    }

    #[test]
    fn a_binding_that_is_not_ready_shows_the_cause() {
        let mut status = BindingStatus::default();
        assert_eq!(binding_state(&status), "not processed yet");
        status.conditions = vec![Condition {
            type_: condition::READY.to_owned(),
            status: "False".to_owned(),
            reason: "Issuing".to_owned(),
            message: "0 of 1 certificates are valid.".to_owned(),
            last_transition_time: String::new(),
            observed_generation: None,
        }];
        assert_eq!(binding_state(&status), "Issuing: 0 of 1 certificates are valid.");
        status.problems = vec![Problem::reported("NotIssued", "The issuer has no DNS zone.")];
        assert_eq!(binding_state(&status), "NotIssued: The issuer has no DNS zone.");
        status.conditions[0].status = "True".to_owned();
        assert_eq!(binding_state(&status), "Ready");
    }
}

//! `idp-cli tree` and `idp-cli status`: what an application consists of, and how it is.

use std::{fmt::Write as _, io::Write as _};

use anyhow::{Context, Result, bail};
use clap::Args;
use idp_api::{WebApplication, WebApplicationStatus, web_application::ChildStatus};
use idp_core::{Condition, Kind, Severity, condition};
use idp_webapp::kinds;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams},
};
use serde_json::Value;

/// An application.
#[derive(Args)]
pub(crate) struct ApplicationArgs {
    /// Name of the application.
    pub name: String,
    /// Its namespace. Default: that of the kubeconfig's context.
    #[arg(long, short)]
    pub namespace: Option<String>,
}

/// Prints the application and all that belongs to it.
pub(crate) async fn tree(client: Client, args: &ApplicationArgs) -> Result<()> {
    let app = get(&client, args).await?;
    let namespace = app.namespace().unwrap_or_default();
    let status = app.status.clone().unwrap_or_default();
    let pods: Vec<Pod> = Api::namespaced(client.clone(), &namespace)
        .list(&ListParams::default().labels(&format!("{}={}", idp_core::labels::APPLICATION, app.name_any())))
        .await?
        .items;
    let mut lines = Vec::new();
    for child in &status.children {
        lines.push((
            format!("{}/{}", child.kind, child.name),
            child_state(&client, &namespace, child).await,
        ));
        if child.kind == kinds::DEPLOYMENT.kind {
            lines.extend(pods.iter().filter(|pod| is_of_deployment(pod)).map(pod_line));
        }
    }
    emit(&format!("{}{}", heading(&app, &status), draw(&lines)))
}

/// Prints the conditions and the problems of the application. An error unless it is ready, so that scripts can wait.
pub(crate) async fn status(client: Client, args: &ApplicationArgs) -> Result<()> {
    let app = get(&client, args).await?;
    let status = app.status.clone().unwrap_or_default();
    emit(&describe_status(&app, &status))?;
    let ready = status
        .conditions
        .iter()
        .any(|c| c.type_ == condition::READY && c.is_true());
    if !ready || app.metadata.generation != status.observed_generation {
        bail!("{} is not ready", app.name_any());
    }
    Ok(())
}

fn describe_status(app: &WebApplication, status: &WebApplicationStatus) -> String {
    let mut text = heading(app, status);
    if app.metadata.generation != status.observed_generation {
        text += "  the controller has not seen the latest change yet\n";
    }
    // Writing to a string cannot fail.
    for Condition {
        type_,
        status,
        reason,
        message,
        ..
    } in &status.conditions
    {
        let _ = writeln!(text, "  {type_:<17} {status:<6} {reason:<16} {message}");
    }
    for problem in &status.problems {
        let mark = if problem.severity == Severity::Error {
            "error"
        } else {
            "warning"
        };
        let _ = writeln!(text, "\n  {mark}: {} ({})", problem.message, problem.reason);
        if let Some(path) = &problem.path {
            let _ = writeln!(text, "    at   {path}");
        }
        if let Some(hint) = &problem.hint {
            let _ = writeln!(text, "    hint {hint}");
        }
    }
    text
}

/// Writes to standard output. A reader that has seen enough, such as `head`, is no error.
fn emit(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

async fn get(client: &Client, args: &ApplicationArgs) -> Result<WebApplication> {
    let namespace = args
        .namespace
        .as_deref()
        .unwrap_or_else(|| client.default_namespace());
    let found = Api::<WebApplication>::namespaced(client.clone(), namespace)
        .get_opt(&args.name)
        .await?;
    found.with_context(|| {
        format!(
            "there is no WebApplication {} in namespace {namespace}; --namespace names another",
            args.name
        )
    })
}

fn heading(app: &WebApplication, status: &WebApplicationStatus) -> String {
    let ready = status.conditions.iter().find(|c| c.type_ == condition::READY);
    let state = ready.map_or("not seen by the controller yet".to_owned(), |ready| {
        if ready.is_true() {
            "Ready".to_owned()
        } else {
            format!("not ready: {}", ready.reason)
        }
    });
    let url = status.url.as_deref().unwrap_or("no route");
    format!(
        "WebApplication {}/{}   {state}   {url}\n",
        app.namespace().unwrap_or_default(),
        app.name_any()
    )
}

/// A word or two on a child, from its live object.
async fn child_state(client: &Client, namespace: &str, child: &ChildStatus) -> String {
    if let Some(held) = &child.held {
        return held.clone();
    }
    let is_kind = |kind: &&Kind| kind.kind == child.kind && kind.api_version() == child.api_version;
    let Some(kind) = kinds::CHILDREN.iter().find(is_kind) else {
        return String::new();
    };
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &kind.api_resource());
    match api.get_opt(&child.name).await {
        Ok(Some(object)) => describe(kind, &object.data),
        Ok(None) => "missing".to_owned(),
        Err(error) => format!("unknown: {error}"),
    }
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
        kinds::CRON_JOB if spec["suspend"] == true => "started by hand".to_owned(),
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

fn pod_line(pod: &Pod) -> (String, String) {
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
    (format!("  Pod/{}", pod.name_any()), state)
}

/// Lines with branches before them; a name that begins with two spaces is a twig of the line above.
fn draw(lines: &[(String, String)]) -> String {
    let width = lines
        .iter()
        .map(|(name, _)| name.chars().count() + 3)
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for (index, (name, state)) in lines.iter().enumerate() {
        let twig = name.starts_with("  ");
        let later = &lines[index + 1..];
        let last_branch = later.iter().all(|(name, _)| name.starts_with("  "));
        let last_twig = later.first().is_none_or(|(name, _)| !name.starts_with("  "));
        let lead = match (twig, last_branch, last_twig) {
            (false, false, _) => "├─ ".to_owned(),
            (false, true, _) => "└─ ".to_owned(),
            (true, last, end) => {
                format!(
                    "{}{}",
                    if last { "   " } else { "│  " },
                    if end { "└─ " } else { "├─ " }
                )
            }
        };
        let line = format!("{lead}{}", name.trim_start());
        let _ = writeln!(text, "{}", format!("{line:<width$}   {state}").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_closes_its_branches() {
        let lines = ["Service/a", "Deployment/a", "  Pod/a-1", "  Pod/a-2"]
            .map(|name| (name.to_owned(), "x".to_owned()));
        let expected = "├─ Service/a      x\n└─ Deployment/a   x\n   ├─ Pod/a-1     x\n   └─ Pod/a-2     x\n";
        assert_eq!(draw(&lines), expected);
    }
}

//! `idp-cli status`: conditions and problems of an application.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use clap::Args;
use idp_api::{WebApplication, WebApplicationStatus};
use idp_core::{Condition, Severity, condition, visible};
use idp_runtime::reading::{RawObject, api_resource};
use kube::{Api, Client, ResourceExt};

use crate::{online::left_out, terminal::emit};

/// An application.
#[derive(Args)]
pub(crate) struct ApplicationArgs {
    /// Name of the application.
    pub name: String,
    /// Its namespace. Default: the namespace of the kubeconfig's context.
    #[arg(long, short)]
    pub namespace: Option<String>,
}

/// Prints the conditions and problems of an application. Fails unless it is ready, so that scripts can wait.
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
        text += "  The controller has not processed the latest change yet.
";
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
        let message = visible::line(message);
        let _ = writeln!(text, "  {type_:<17} {status:<6} {reason:<16} {message}");
    }
    for problem in &status.problems {
        let mark = if problem.severity == Severity::Error {
            "error"
        } else {
            "warning"
        };
        let _ = writeln!(text, "\n  {mark}: {}", visible::line(&problem.headline()));
        if let Some(path) = &problem.path {
            let _ = writeln!(text, "    at   {}", visible::line(path));
        }
        if let Some(hint) = &problem.hint {
            let _ = writeln!(text, "    hint {}", visible::line(hint));
        }
    }
    text
}

/// Reads the application.
pub(crate) async fn get(client: &Client, args: &ApplicationArgs) -> Result<WebApplication> {
    let namespace = args
        .namespace
        .as_deref()
        .unwrap_or_else(|| client.default_namespace());
    let found =
        Api::<RawObject>::namespaced_with(client.clone(), namespace, &api_resource::<WebApplication>())
            .get_opt(&args.name)
            .await?;
    let found = found.with_context(|| {
        format!(
            "WebApplication {} not found in namespace {namespace}: choose another namespace with --namespace",
            args.name
        )
    })?;
    match found.typed() {
        Ok(app) => Ok(app),
        // The readable part is shown; the status has the error.
        Err(unreadable) => {
            left_out("WebApplication", &unreadable);
            unreadable
                .rest
                .with_context(|| format!("cannot parse WebApplication {namespace}/{}", args.name))
        }
    }
}

/// Name, readiness and URL of an application.
pub(crate) fn heading(app: &WebApplication, status: &WebApplicationStatus) -> String {
    let ready = status.conditions.iter().find(|c| c.type_ == condition::READY);
    let state = ready.map_or("not processed yet".to_owned(), |ready| {
        if ready.is_true() {
            "Ready".to_owned()
        } else {
            format!("not ready: {}", visible::line(&ready.reason))
        }
    });
    let url = visible::line(status.url.as_deref().unwrap_or("no route"));
    format!(
        "WebApplication {}/{}   {state}   {url}\n",
        app.namespace().unwrap_or_default(),
        app.name_any()
    )
}

#[cfg(test)]
mod tests {
    use idp_core::Problem;
    use serde_json::json;

    use super::*;

    #[test]
    fn text_of_tenants_is_escaped_for_the_terminal() {
        let evil = "x\u{1b}[31mRED\u{9b}2J\u{202e}\nWebApplication shop/forged   Ready";
        let app: WebApplication = serde_json::from_value(json!({
            "apiVersion": "idp.dev/v1alpha1", "kind": "WebApplication",
            "metadata": {"name": "a", "namespace": "shop"}, "spec": {"image": "a:1"},
        }))
        .unwrap();
        let status = WebApplicationStatus {
            problems: vec![Problem::reported("Any", evil).at(evil).hint(evil)],
            url: Some(evil.to_owned()),
            conditions: serde_json::from_value(json!([{
                "type": "Ready", "status": "False", "reason": "Any", "message": evil, "lastTransitionTime": "",
            }]))
            .unwrap(),
            ..WebApplicationStatus::default()
        };
        let text = describe_status(&app, &status);
        let shown = visible::lines(&text);
        assert_eq!(
            shown, text,
            "escaped before the lines are joined, so that it cannot begin a line"
        );
        assert!(
            !text
                .lines()
                .any(|line| line.starts_with("WebApplication shop/forged")),
            "{text}"
        );
        assert!(text.contains("\\u001b[31mRED\\u009b2J\\u202e\\n"), "{text}");
    }
}

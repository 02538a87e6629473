//! `idp-cli status`: how an application is.

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
    /// Its namespace. Default: that of the kubeconfig's context.
    #[arg(long, short)]
    pub namespace: Option<String>,
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

/// The application that the arguments name.
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
            "there is no WebApplication {} in namespace {namespace}; --namespace names another",
            args.name
        )
    })?;
    match found.typed() {
        Ok(app) => Ok(app),
        // What can be read of it is shown: its status says what cannot.
        Err(unreadable) => {
            left_out("WebApplication", &unreadable);
            unreadable
                .rest
                .with_context(|| format!("WebApplication {namespace}/{} cannot be read", args.name))
        }
    }
}

/// Its name, whether it is ready, and its address.
pub(crate) fn heading(app: &WebApplication, status: &WebApplicationStatus) -> String {
    let ready = status.conditions.iter().find(|c| c.type_ == condition::READY);
    let state = ready.map_or("not seen by the controller yet".to_owned(), |ready| {
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
    fn nothing_that_a_tenant_wrote_reaches_the_terminal_as_it_is() {
        let evil = "x\u{1b}[31mRED\u{9b}2J\u{202e}\nWebApplication shop/forged   Ready";
        let app: WebApplication = serde_json::from_value(json!({
            "apiVersion": "idp.dev/v1alpha1", "kind": "WebApplication",
            "metadata": {"name": "a", "namespace": "shop"}, "spec": {"image": "a:1"},
        }))
        .unwrap();
        let status = WebApplicationStatus {
            problems: vec![Problem::error("Any", evil).at(evil).hint(evil)],
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
            "escaped where it is put together, so that it cannot begin a line"
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

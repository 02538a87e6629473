//! `idp-cli status`: how an application is.

use std::{fmt::Write as _, io::Write as _};

use anyhow::{Context, Result, bail};
use clap::Args;
use idp_api::{WebApplication, WebApplicationStatus};
use idp_core::{Condition, Severity, condition};
use kube::{Api, Client, ResourceExt};

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
pub(crate) fn emit(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// The application that the arguments name.
pub(crate) async fn get(client: &Client, args: &ApplicationArgs) -> Result<WebApplication> {
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

/// Its name, whether it is ready, and its address.
pub(crate) fn heading(app: &WebApplication, status: &WebApplicationStatus) -> String {
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

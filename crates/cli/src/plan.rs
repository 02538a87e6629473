//! `idp-cli plan`: what would change in a cluster.

use std::{collections::BTreeSet, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use idp_api::{WebApplication, kinds::WEB_APPLICATION, web_application::ChildStatus};
use idp_core::{Child, Plan, Prepared, Step, visible};
use idp_runtime::reading::RawObject;
use idp_webapp::{NAME, render::render_in};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::Value;

use crate::{
    compare::differences,
    manifest::{applications, read, tell},
    online::{Online, seen},
    terminal::{emit, note},
};

/// Maximum number of fields of an object that are listed.
const MOST_FIELDS: usize = 5;
/// Attempts for an application that changes concurrently.
const TRIES: usize = 5;

/// Show what applying WebApplications would change, without changing anything.
///
/// The API server validates each application as with `kubectl apply`. The function that the controller calls then plans
/// it, with the cluster's classes, policies, quotas, existing objects and hosts. The result is the final state, after
/// migrations have run and secrets and databases are ready. Capabilities that the platform team has added are not
/// called.
///
/// Requires permission to read everything that plans depend on, and to patch the application's objects (dry run).
#[derive(Args)]
pub(crate) struct PlanArgs {
    /// File with WebApplications; `-` for standard input.
    file: PathBuf,
    /// Namespace of applications that name none. Default: the namespace of the kubeconfig's context.
    #[arg(long, short)]
    namespace: Option<String>,
}

/// What would change in an object.
enum Outcome {
    Create,
    /// Paths of the fields that change.
    Update(Vec<String>),
    Keep,
    Delete,
}

/// Runs the command.
pub(crate) async fn run(client: Client, args: &PlanArgs) -> Result<()> {
    let documents = read(&args.file)?;
    let source = args.file.display().to_string();
    let mut apps = applications(&documents, &source)?;
    let default = args.namespace.as_deref().unwrap_or(client.default_namespace());
    let online = Online::of(&client).await?;
    let mut failed = 0;
    for app in &mut apps {
        app.metadata.namespace.get_or_insert_with(|| default.to_owned());
        failed += usize::from(!one(&client, &online, app).await?);
    }
    if failed > 0 {
        bail!(
            "{failed} of {} applications in {source} are rejected. Fix the errors above",
            apps.len()
        );
    }
    Ok(())
}

/// Shows one application. Returns whether its spec is accepted.
async fn one(client: &Client, online: &Online, written: &WebApplication) -> Result<bool> {
    let namespace = written.namespace().unwrap_or_default();
    emit(&format!("WebApplication {namespace}/{}\n", written.name_any()))?;
    let app = match accepted(client, written).await {
        Ok(app) => app,
        Err(kube::Error::Api(status)) if (400..500).contains(&status.code) => {
            note(&format!("{}: error: {}", written.name_any(), status.message));
            return Ok(false);
        }
        Err(error) => return Err(error.into()),
    };
    let knowledge = online.knowledge(&namespace).await?;
    let observed = online.observed(&app).await?;
    let ask = |name: &str, request: &_| knowledge.ask(name, request);
    match render_in(&app, &online.environment, observed, ask) {
        Ok(plan) => {
            tell(&app, &plan.problems);
            show(client, &app, &plan).await?;
            Ok(true)
        }
        Err(problems) => {
            tell(&app, &problems);
            Ok(false)
        }
    }
}

/// The application as the API server would store it: validated, with defaults and the current status.
async fn accepted(client: &Client, written: &WebApplication) -> kube::Result<WebApplication> {
    let apps = Api::<WebApplication>::namespaced(client.clone(), &written.namespace().unwrap_or_default());
    let mut answer = checked(client, &apps, written).await;
    for _ in 1..TRIES {
        match answer {
            // Its controller has written a status in the meantime.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                answer = checked(client, &apps, written).await;
            }
            answer => return answer,
        }
    }
    answer
}

async fn checked(
    client: &Client,
    apps: &Api<WebApplication>,
    written: &WebApplication,
) -> kube::Result<WebApplication> {
    let name = written.name_any();
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    // The live object may be unreadable: this file may be the fix.
    let namespace = written.namespace().unwrap_or_default();
    match seen(client, WEB_APPLICATION, Some(&namespace))
        .get_opt(&name)
        .await?
    {
        None => apps.create(&dry_run, written).await,
        // A replace, so that fields missing from the file show up as removed.
        Some(live) => {
            let mut next = written.clone();
            next.metadata = live.metadata.clone();
            next.status = match live.typed::<WebApplication>() {
                Ok(live) => live.status,
                Err(unreadable) => unreadable.rest.and_then(|rest| rest.status),
            };
            apps.replace(&name, &dry_run, &next).await
        }
    }
}

async fn show(client: &Client, app: &WebApplication, plan: &Plan<Prepared>) -> Result<()> {
    let mut lines = Vec::new();
    for child in &plan.children {
        lines.push((
            format!("{}/{}", child.kind.kind, child.name),
            outcome(client, child).await?,
        ));
    }
    let planned: BTreeSet<(&str, &str)> = plan
        .children
        .iter()
        .map(|child| (child.kind.kind, child.name.as_str()))
        .collect();
    let children = app.status.iter().flat_map(|status| &status.children);
    let gone = |child: &&ChildStatus| !planned.contains(&(child.kind.as_str(), child.name.as_str()));
    lines.extend(
        children
            .filter(gone)
            .map(|child| (format!("{}/{}", child.kind, child.name), Outcome::Delete)),
    );
    emit(&describe(&lines))
}

/// What would change in a child, by a dry run on the API server.
async fn outcome(client: &Client, child: &Child) -> Result<Outcome> {
    let api = seen(client, child.kind, child.namespace.as_deref());
    let what = || format!("{} {}", child.kind, child.name);
    let live = api.get_opt(&child.name).await.with_context(what)?;
    let Some(live) = live.map(RawObject::dynamic) else {
        return Ok(Outcome::Create);
    };
    if matches!(child.step, Step::Hold { .. }) {
        return Ok(Outcome::Keep);
    }
    let live = serde_json::to_value(live)?;
    let dry_run = PatchParams::apply(NAME).force().dry_run();
    let next = api
        .patch(&child.name, &dry_run, &Patch::Apply(&yielding(child, &live)))
        .await
        .with_context(what)?;
    let fields = differences(&live, &serde_json::to_value(next.dynamic())?);
    Ok(if fields.is_empty() {
        Outcome::Keep
    } else {
        Outcome::Update(fields)
    })
}

/// The object, with the live values of fields that are handed over to another writer.
fn yielding(child: &Child, live: &Value) -> Value {
    let mut object = child.object.clone();
    for (pointer, value) in &child.yields {
        let (parent, member) = pointer.rsplit_once('/').unwrap_or_default();
        if let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
            parent.insert(member.to_owned(), live.pointer(pointer).unwrap_or(value).clone());
        }
    }
    object
}

fn describe(lines: &[(String, Outcome)]) -> String {
    let width = lines.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or_default();
    let (mut text, mut counts) = (String::new(), [0; 4]);
    for (name, outcome) in lines {
        let (place, sign, fields) = match outcome {
            Outcome::Create => (0, '+', String::new()),
            Outcome::Update(fields) => (1, '~', named(fields)),
            Outcome::Delete => (2, '-', String::new()),
            Outcome::Keep => (3, '=', String::new()),
        };
        counts[place] += 1;
        if place != 3 {
            let restarts = match outcome {
                Outcome::Update(fields) if rolls(name, fields) => "  (restarts its pods)",
                _ => "",
            };
            let line = format!("  {sign} {name:<width$}  {fields}{restarts}");
            text += &format!("{}\n", visible::line(line.trim_end()));
        }
    }
    let [create, change, delete, keep] = counts;
    text + &format!(
        "  {create} to create, {change} to change, {delete} to delete, {keep} unchanged
"
    )
}

/// Whether a change restarts pods, as every change of a Deployment's template does.
fn rolls(name: &str, fields: &[String]) -> bool {
    name.starts_with("Deployment/") && fields.iter().any(|field| field.starts_with("spec.template"))
}

fn named(fields: &[String]) -> String {
    let mut text = fields[..fields.len().min(MOST_FIELDS)].join(", ");
    if fields.len() > MOST_FIELDS {
        text += &format!(" and {} more", fields.len() - MOST_FIELDS);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_listed_and_the_rest_counted() {
        let fields = |count: usize| (0..count).map(|index| format!("spec.f{index}")).collect();
        let lines = [
            ("Deployment/shop".to_owned(), Outcome::Update(fields(7))),
            ("Service/shop".to_owned(), Outcome::Keep),
            ("Job/a".to_owned(), Outcome::Create),
            ("CronJob/b".to_owned(), Outcome::Delete),
            (
                "Deployment/api".to_owned(),
                Outcome::Update(vec!["spec.template.spec.containers[0].env".to_owned()]),
            ),
        ];
        let expected = "  ~ Deployment/shop  spec.f0, spec.f1, spec.f2, spec.f3, spec.f4 and 2 more\n  \
                        + Job/a\n  - CronJob/b\n  \
                        ~ Deployment/api   spec.template.spec.containers[0].env  (restarts its pods)\n  \
                        1 to create, 2 to change, 1 to delete, 1 unchanged
";
        assert_eq!(describe(&lines), expected);
    }
}

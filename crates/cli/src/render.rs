//! `idp-cli render`: the objects of an application, without a cluster.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use idp_api::{Environment, manifests};
use idp_webapp::{observe::Observed, render::render_in};
use kube::ResourceExt;
use serde_json::Value;

use crate::{
    manifest::{applications, read, tell},
    offline::Offline,
    terminal::data,
};

/// The Environment that is used by default.
const LOCAL_ENVIRONMENT: &str = include_str!("../../../platform/environments/local.yaml");

/// Print the objects that the controller would create for WebApplications. No cluster is required.
///
/// Sections for secrets, claims and certificates are planned too: claims with the ClaimClasses, certificates with the
/// CertificatePolicies in the files. Without these, the capability counts as not deployed. State that only a cluster
/// has is not considered: existing objects, used quotas, hosts of other applications, and labels of namespaces that are
/// not in the files.
#[derive(Args)]
pub(crate) struct RenderArgs {
    /// File with WebApplications, and optionally an Environment; `-` for standard input.
    file: PathBuf,
    /// File with the Environment, ClaimClasses, CertificatePolicies or Namespaces to use. May be repeated. Default:
    /// those in FILE, else those of the local Environment.
    #[arg(long, short)]
    environment: Vec<PathBuf>,
    /// Output format.
    #[arg(long, short, value_enum, default_value_t = Format::Yaml)]
    output: Format,
}

/// Output format.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// YAML documents.
    Yaml,
    /// One JSON list.
    Json,
}

/// Runs the command.
pub(crate) fn run(args: &RenderArgs) -> Result<()> {
    let source = args.file.display().to_string();
    let documents = read(&args.file)?;
    let apps = applications(&documents, &source)?;
    let (environment, offline) = target(&args.environment, documents, source.clone())?;
    let mut objects = Vec::new();
    let mut failed = 0;
    for app in &apps {
        let observed = Observed {
            namespace_labels: offline.labels_in_files(&app.namespace().unwrap_or_default()),
            ..Observed::default()
        };
        match render_in(app, &environment, observed, |name, request| {
            offline.ask(name, request)
        }) {
            Ok(plan) => {
                tell(app, &plan.problems);
                objects.extend(plan.children.into_iter().map(|child| child.object));
            }
            Err(problems) => {
                failed += 1;
                tell(app, &problems);
            }
        }
    }
    match args.output {
        Format::Yaml => {
            for object in &objects {
                let text = serde_saphyr::to_string(object).context("cannot convert an object to YAML")?;
                data(&format!("---\n{text}"))?;
            }
        }
        Format::Json => data(&format!("{}\n", serde_json::to_string_pretty(&objects)?))?,
    }
    if failed > 0 {
        bail!(
            "{failed} of {} applications in {source} are rejected. Fix the errors above",
            apps.len()
        );
    }
    Ok(())
}

/// The Environment and the capabilities' state, from the application's file and the files of `--environment`.
fn target(files: &[PathBuf], documents: Vec<Value>, source: String) -> Result<(Environment, Offline)> {
    let beside = beside(files)?;
    let environment = match &beside {
        Some((source, beside)) => environment(beside, source)?.with_context(|| {
            format!("{source} contains no Environment: add its file with another --environment")
        })?,
        None => match environment(&documents, &source)? {
            Some(environment) => environment,
            None => local_environment()?,
        },
    };
    let (mut sources, mut known) = (source, documents);
    if let Some((names, beside)) = beside {
        sources = format!("{sources}, {names}");
        known.extend(beside);
    }
    let offline = Offline::of(&known).context(sources)?;
    // The local Environment is the default, with its classes and policies.
    if environment.name_any() == "local" {
        return Ok((environment, offline.or_local()?));
    }
    Ok((environment, offline))
}

/// The names and documents of the files of `--environment`; `None` without such files.
fn beside(files: &[PathBuf]) -> Result<Option<(String, Vec<Value>)>> {
    let (mut names, mut documents) = (Vec::new(), Vec::new());
    for file in files {
        names.push(file.display().to_string());
        documents.extend(read(file)?);
    }
    Ok((!files.is_empty()).then(|| (names.join(", "), documents)))
}

/// The Environment among these documents.
fn environment(documents: &[Value], source: &str) -> Result<Option<Environment>> {
    let mut found: Vec<Environment> =
        manifests::typed(documents, "Environment").with_context(|| source.to_owned())?;
    if found.len() > 1 {
        bail!(
            "{source} contains {} Environments: a cluster has exactly one",
            found.len()
        );
    }
    Ok(found.pop())
}

fn local_environment() -> Result<Environment> {
    let local = environment(&manifests::parse(LOCAL_ENVIRONMENT)?, "the local Environment")?;
    local.context("the local Environment is missing")
}

//! `idp-cli render`: what an application becomes, without a cluster.

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

/// The Environment that is used where none is named.
const LOCAL_ENVIRONMENT: &str = include_str!("../../../platform/environments/local.yaml");

/// Shows the objects that WebApplications become. Needs no cluster; the controller calls the same function.
///
/// Secrets, claims and certificates are answered for as well: claims by the ClaimClasses, certificates by the
/// CertificatePolicies in the files; where there are none, the capability counts as not deployed. What only a cluster
/// knows is left out: what exists already, quotas that others use up, hosts that another application holds, and the
/// labels of namespaces that no file has.
#[derive(Args)]
pub(crate) struct RenderArgs {
    /// File with WebApplications (and perhaps an Environment); `-` for standard input.
    file: PathBuf,
    /// File with the Environment to render for, or with its ClaimClasses, CertificatePolicies or Namespaces. May be given
    /// several times. Default: those in FILE, else the local ones.
    #[arg(long, short)]
    environment: Vec<PathBuf>,
    /// Form of the output.
    #[arg(long, short, value_enum, default_value_t = Format::Yaml)]
    output: Format,
}

/// Form of the output.
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
                let text = serde_saphyr::to_string(object).context("an object cannot be written as YAML")?;
                data(&format!("---\n{text}"))?;
            }
        }
        Format::Json => data(&format!("{}\n", serde_json::to_string_pretty(&objects)?))?,
    }
    if failed > 0 {
        bail!(
            "{failed} of {} applications cannot work as they are written in {source}",
            apps.len()
        );
    }
    Ok(())
}

/// What is rendered for, by the documents of the application's file and of the files beside it: the Environment, and the
/// capabilities with what it offers.
fn target(files: &[PathBuf], documents: Vec<Value>, source: String) -> Result<(Environment, Offline)> {
    let beside = beside(files)?;
    let environment = match &beside {
        Some((source, beside)) => environment(beside, source)?
            .with_context(|| format!("{source} has no Environment: name the file that has it with -e too"))?,
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
    // The local Environment is used where none is named, and with it what it offers.
    if environment.name_any() == "local" {
        return Ok((environment, offline.or_local()?));
    }
    Ok((environment, offline))
}

/// The documents of the files beside that of the application, and where they are from; absent without such files.
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
        bail!("{source} has {} Environments; a cluster has one", found.len());
    }
    Ok(found.pop())
}

fn local_environment() -> Result<Environment> {
    let local = environment(&manifests::parse(LOCAL_ENVIRONMENT)?, "the local Environment")?;
    local.context("the local Environment is missing")
}

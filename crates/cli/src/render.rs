//! `idp-cli render`: what an application becomes, without a cluster.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use idp_api::{Environment, WebApplication, manifests};
use idp_core::Problem;
use idp_webapp::render::render_with;
use kube::ResourceExt;
use serde_json::Value;

use crate::offline::Offline;

/// The Environment that is used where none is named.
const LOCAL_ENVIRONMENT: &str = include_str!("../../../platform/environments/local.yaml");

/// Shows the objects that WebApplications become. Needs no cluster; the controller calls the same function.
#[derive(Args)]
pub(crate) struct RenderArgs {
    /// File with WebApplications (and perhaps an Environment); `-` for standard input.
    file: PathBuf,
    /// File with the Environment to render for, and the ClaimClasses that it offers. Default: those in FILE, else the local ones.
    #[arg(long, short)]
    environment: Option<PathBuf>,
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
    let apps: Vec<WebApplication> = manifests::typed(&documents, "WebApplication").context(source.clone())?;
    if apps.is_empty() {
        bail!(
            "{source} has no WebApplication; one begins with\n  apiVersion: idp.dev/v1alpha1\n  kind: WebApplication"
        );
    }
    let mut beside = documents.clone();
    if let Some(file) = &args.environment {
        beside.extend(read(file)?);
    }
    let offline = Offline::of(&beside).with_context(|| source.clone())?;
    let environment = environment(args.environment.as_deref(), &documents, &source)?;
    // The local Environment is used where none is named, and with it what it offers.
    let offline = if environment.name_any() == "local" && !offline.has_classes() {
        Offline::local()?
    } else {
        offline
    };
    let mut objects = Vec::new();
    let mut failed = 0;
    for app in &apps {
        match render_with(app, &environment, |name, request| offline.ask(name, request)) {
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
                print!(
                    "---\n{}",
                    serde_saphyr::to_string(object).context("an object cannot be written as YAML")?
                );
            }
        }
        Format::Json => println!("{}", serde_json::to_string_pretty(&objects)?),
    }
    if failed > 0 {
        bail!(
            "{failed} of {} applications cannot work as they are written in {source}",
            apps.len()
        );
    }
    Ok(())
}

/// Says what does not work, on standard error: standard output is for the objects.
fn tell(app: &WebApplication, problems: &[Problem]) {
    for problem in problems {
        let severity = if problem.is_error() { "error" } else { "warning" };
        eprintln!("{}: {severity}: {problem}", app.name_any());
    }
}

fn environment(file: Option<&Path>, beside: &[Value], source: &str) -> Result<Environment> {
    let (found, source) = match file {
        Some(file) => (
            typed_environments(&read(file)?, &file.display().to_string())?,
            file.display().to_string(),
        ),
        None => (typed_environments(beside, source)?, source.to_owned()),
    };
    match <[Environment; 1]>::try_from(found) {
        Ok([environment]) => Ok(environment),
        Err(none) if none.is_empty() && file.is_none() => {
            let local = typed_environments(&manifests::parse(LOCAL_ENVIRONMENT)?, "the local Environment")?;
            local
                .into_iter()
                .next()
                .context("the local Environment is missing")
        }
        Err(none) if none.is_empty() => bail!("{source} has no Environment"),
        Err(several) => bail!("{source} has {} Environments; a cluster has one", several.len()),
    }
}

fn typed_environments(documents: &[Value], source: &str) -> Result<Vec<Environment>> {
    manifests::typed(documents, "Environment").with_context(|| source.to_owned())
}

/// The YAML documents of a file; `-` is standard input.
fn read(path: &Path) -> Result<Vec<Value>> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).context("standard input cannot be read")?
    } else {
        std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?
    };
    manifests::parse(&text).with_context(|| path.display().to_string())
}

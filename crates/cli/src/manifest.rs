//! Files with resources, and their problems.

use std::path::Path;

use anyhow::{Context, Result, bail};
use idp_api::{WebApplication, manifests};
use idp_core::Problem;
use kube::ResourceExt;
use serde_json::Value;

use crate::terminal::note;

/// The YAML documents of a file; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<Value>> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).context("cannot read standard input")?
    } else {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
    };
    manifests::parse(&text).with_context(|| path.display().to_string())
}

/// The applications among the documents of `source`.
///
/// # Errors
/// When there is none, or one is not valid.
pub(crate) fn applications(documents: &[Value], source: &str) -> Result<Vec<WebApplication>> {
    let apps: Vec<WebApplication> =
        manifests::typed(documents, "WebApplication").context(source.to_owned())?;
    if apps.is_empty() {
        bail!(
            "{source} contains no WebApplication. A WebApplication begins with
  apiVersion: idp.dev/v1alpha1\n  kind: WebApplication"
        );
    }
    Ok(apps)
}

/// Prints problems to standard error; standard output is for objects.
pub(crate) fn tell(app: &WebApplication, problems: &[Problem]) {
    for problem in problems {
        let severity = if problem.is_error() { "error" } else { "warning" };
        note(&format!("{}: {severity}: {problem}", app.name_any()));
    }
}

//! Where a cluster comes from, and the two providers that somebody else runs.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::progress::{Progress, step};

/// Where the cluster comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Provider {
    /// Run here, as processes of this machine.
    #[default]
    Embedded,
    /// kind, in a container engine.
    Kind,
    /// One that is there already.
    Existing {
        /// A context of the user's kubeconfig; the current one when absent.
        context: Option<String>,
    },
}

/// Makes a kind cluster unless there is one of this name, and writes its kubeconfig.
pub(crate) async fn kind_up(name: &str, kubeconfig: &Path, progress: &dyn Progress) -> Result<()> {
    let listed = kind(&["get", "clusters"]).await?;
    if !listed.lines().any(|line| line == name) {
        step(
            progress,
            "create the kind cluster",
            kind(&["create", "cluster", "--name", name, "--wait", "120s"]),
        )
        .await?;
    }
    let content = kind(&["get", "kubeconfig", "--name", name]).await?;
    crate::cache::write_atomic(kubeconfig, content.as_bytes(), 0o600)
}

/// Deletes a kind cluster.
pub(crate) async fn kind_down(name: &str) -> Result<()> {
    kind(&["delete", "cluster", "--name", name]).await.map(|_| ())
}

/// Loads an image archive into a kind cluster's nodes; gives the digest that its first node reports.
pub(crate) async fn kind_load(name: &str, archive: &Path) -> Result<String> {
    kind(&[
        "load",
        "image-archive",
        &archive.display().to_string(),
        "--name",
        name,
    ])
    .await?;
    let node = format!("{name}-control-plane");
    let listed = run(
        "docker",
        &["exec", &node, "ctr", "-n", "k8s.io", "images", "list"],
    )
    .await?;
    let reference = crate::image::load::reference_of(archive)?;
    let line = listed
        .lines()
        .find(|line| line.starts_with(&format!("{reference} ")));
    let digest = line.and_then(|line| {
        line.split_ascii_whitespace()
            .find(|field| field.starts_with("sha256:"))
    });
    digest
        .map(str::to_owned)
        .with_context(|| format!("{node} does not list {reference} after the import"))
}

async fn kind(args: &[&str]) -> Result<String> {
    run("kind", args).await
}

async fn run(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .await;
    let output = output.with_context(|| {
        format!("{program} cannot be run: the provider `kind` needs kind and a container engine; the provider `embedded` needs neither")
    })?;
    if !output.status.success() {
        bail!(
            "{program} {} failed: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

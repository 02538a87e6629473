//! Clusters by kind, in a container engine.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::cache::write_atomic;
use crate::embedded::state::Folder;
use crate::image::reference::reference_of;
use crate::progress::{Progress, step};

/// The file that marks a folder as a kind cluster's.
pub(crate) fn marker(folder: &Folder) -> PathBuf {
    folder.path.join("kind")
}

/// Creates a kind cluster unless one of this name exists, and writes its kubeconfig.
pub(crate) async fn up(name: &str, kubeconfig: &Path, progress: &dyn Progress) -> Result<()> {
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
    write_atomic(kubeconfig, content.as_bytes(), 0o600)
}

/// Deletes a kind cluster.
pub(crate) async fn down(name: &str) -> Result<()> {
    kind(&["delete", "cluster", "--name", name]).await.map(|_| ())
}

/// Loads an image archive into a kind cluster's nodes, and returns the digest that its first node reports.
pub(crate) async fn load(name: &str, archive: &Path) -> Result<String> {
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
    let reference = reference_of(archive)?;
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
        format!("Cannot run {program}. --provider kind needs kind and a container engine; --provider embedded needs neither.")
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

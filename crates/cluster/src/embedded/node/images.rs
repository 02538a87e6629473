//! The node's images, managed by containerd's command `ctr`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::image::reference::reference_of;

/// Imports an archive into containerd, and tags the image with its digest too.
pub(crate) async fn load_into(socket: &Path, archive: &Path) -> Result<String> {
    let path = archive.display().to_string();
    let output = ctr(socket, &["images", "import", &path]).await?;
    let reference = reference_of(archive)?;
    let digest = digest_of(socket, &reference)
        .await?
        .with_context(|| format!("containerd does not list {reference} after the import: {output}"))?;
    let name = reference
        .rsplit_once(':')
        .map_or(reference.as_str(), |(name, _)| name);
    ctr(
        socket,
        &[
            "images",
            "tag",
            "--force",
            &reference,
            &format!("{name}@{digest}"),
        ],
    )
    .await?;
    Ok(digest)
}

/// The digest of an image in containerd.
pub(crate) async fn digest_of(socket: &Path, reference: &str) -> Result<Option<String>> {
    let listed = ctr(socket, &["images", "list", &format!("name=={reference}")]).await?;
    Ok(listed
        .split_ascii_whitespace()
        .find(|field| field.starts_with("sha256:"))
        .map(str::to_owned))
}

/// Runs `ctr` in the kubelet's namespace and returns its output.
pub(crate) async fn ctr(socket: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new("ctr")
        .arg("--address")
        .arg(socket)
        .args(["--namespace", "k8s.io"])
        .args(args)
        .output()
        .await
        .context("Cannot run ctr. Install containerd.")?;
    if !output.status.success() {
        bail!(
            "ctr {} failed: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

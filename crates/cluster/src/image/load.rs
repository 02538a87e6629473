//! Loading image archives into a node, through containerd's own command.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::Command;

use crate::Cluster;
use crate::embedded::node::containerd_socket;
use crate::image::archive::Image;

/// Loads an image into the cluster's real node, and gives its digest, `sha256:…`, as containerd reports it.
/// Pods find it by its tag and by `name@digest`, with `imagePullPolicy: IfNotPresent` or `Never`.
///
/// # Errors
/// When the cluster has no real node, or containerd refuses the image.
pub async fn load_image(cluster: &Cluster, image: &Image) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let archive = folder.path().join("image.tar");
    image.write_archive(&archive)?;
    load_archive(cluster, &archive).await
}

/// Loads a Docker archive (`docker save`, or `Image::write_archive`); gives the digest of its first image.
///
/// # Errors
/// When the cluster has no real node, the file is no archive, or containerd refuses it.
pub async fn load_archive(cluster: &Cluster, archive: &Path) -> Result<String> {
    if let Some(name) = cluster.kind_name() {
        return crate::kind::kind_load(name, archive).await;
    }
    let state = cluster.state()?.filter(|state| state.real_node);
    let state = state.context("only a cluster with a real node holds images: fake nodes run nothing")?;
    load_into(&containerd_socket(state.index), archive).await
}

/// Loads an archive through containerd's socket, and names the image by its digest too.
pub(crate) async fn load_into(socket: &Path, archive: &Path) -> Result<String> {
    let path = archive.display().to_string();
    let output = ctr(socket, &["images", "import", &path]).await?;
    let reference = reference_of(archive)?;
    let digest = digest_of(socket, &reference)
        .await?
        .with_context(|| format!("containerd holds no {reference} after the import: {output}"))?;
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

/// The digest of an image that containerd holds.
pub(crate) async fn digest_of(socket: &Path, reference: &str) -> Result<Option<String>> {
    let listed = ctr(socket, &["images", "list", &format!("name=={reference}")]).await?;
    Ok(listed
        .split_ascii_whitespace()
        .find(|field| field.starts_with("sha256:"))
        .map(str::to_owned))
}

/// Runs `ctr` in the namespace that the kubelet uses; gives its output.
pub(crate) async fn ctr(socket: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new("ctr")
        .arg("--address")
        .arg(socket)
        .args(["--namespace", "k8s.io"])
        .args(args)
        .output()
        .await
        .context("running ctr, which comes with containerd")?;
    if !output.status.success() {
        bail!(
            "ctr {} failed: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first name in an archive, written out as containerd does.
pub(crate) fn reference_of(archive: &Path) -> Result<String> {
    let file = File::open(archive).with_context(|| format!("opening {}", archive.display()))?;
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.path()? == PathBuf::from("manifest.json") {
            let manifest: Value = serde_json::from_reader(entry)?;
            let name = manifest.pointer("/0/RepoTags/0").and_then(Value::as_str);
            return Ok(full_reference(name.context("the image has no name")?));
        }
    }
    bail!("this is no Docker archive: it has no manifest.json")
}

/// Names without a host belong to Docker's library, and names without a tag are the latest.
fn full_reference(name: &str) -> String {
    let tagged = if name.rsplit('/').next().is_some_and(|last| last.contains(':')) {
        name.to_owned()
    } else {
        format!("{name}:latest")
    };
    match tagged.split_once('/') {
        Some((host, _)) if host == "localhost" || host.contains(['.', ':']) => tagged,
        Some(_) => format!("docker.io/{tagged}"),
        None => format!("docker.io/library/{tagged}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_containerd_writes_them() {
        assert_eq!(full_reference("localhost/a:1"), "localhost/a:1");
        assert_eq!(full_reference("a"), "docker.io/library/a:latest");
        assert_eq!(full_reference("team/a:2"), "docker.io/team/a:2");
        assert_eq!(
            full_reference("host.example:5000/a"),
            "host.example:5000/a:latest"
        );
    }
}

//! Loading images into a cluster's nodes.

use std::path::Path;

use anyhow::{Context, Result};

use crate::Cluster;
use crate::embedded::node::containerd::socket;
use crate::embedded::node::images::load_into;
use crate::image::archive::Image;
use crate::kind;

/// Loads an image into the cluster's real node, and returns the digest that containerd reports, `sha256:…`.
/// Pods can use its tag or `name@digest`, with `imagePullPolicy: IfNotPresent` or `Never`.
///
/// # Errors
/// When the cluster has no real node, or containerd rejects the image.
pub async fn load_image(cluster: &Cluster, image: &Image) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let archive = folder.path().join("image.tar");
    image.write_archive(&archive)?;
    load_archive(cluster, &archive).await
}

/// Loads a Docker archive (`docker save`, or `Image::write_archive`), and returns the digest of its first image.
///
/// # Errors
/// When the cluster has no real node, the file is not an archive, or containerd rejects it.
pub async fn load_archive(cluster: &Cluster, archive: &Path) -> Result<String> {
    if let Some(name) = cluster.kind_name() {
        return kind::load(name, archive).await;
    }
    let state = cluster.state()?.filter(|state| state.real_node);
    let state = state.context("The cluster has no real node, and fake nodes do not run containers. Start one: idp-cli up --nodes real")?;
    load_into(&socket(state.index), archive).await
}

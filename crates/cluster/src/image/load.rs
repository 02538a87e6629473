//! Loading images into a cluster's node.

use std::path::Path;

use anyhow::{Context, Result};

use crate::Cluster;
use crate::embedded::node::containerd::socket;
use crate::embedded::node::images::load_into;
use crate::image::archive::Image;
use crate::kind;

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
        return kind::load(name, archive).await;
    }
    let state = cluster.state()?.filter(|state| state.real_node);
    let state = state.context("only a cluster with a real node holds images: fake nodes run nothing")?;
    load_into(&socket(state.index), archive).await
}

//! The sample application's image, made without a container engine.

use std::process::Command;

use anyhow::{Result, bail};
use idp_cluster::{Cache, Cluster, Image};

use crate::root;

/// Name of the image, as `applications/sample-web-app/webapplication.yaml` writes it.
pub const SAMPLE_IMAGE: &str = "sample-web-app:0.1.0";

/// Target for which the sample is built: with it, the flags below do not reach build scripts.
#[cfg(target_arch = "aarch64")]
const TARGET: &str = "aarch64-unknown-linux-gnu";
/// See above.
#[cfg(not(target_arch = "aarch64"))]
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds the sample statically, makes an image of it, and loads it into the cluster's node; gives its digest.
///
/// # Errors
/// When the build fails, or the cluster has no real node.
pub async fn load_sample_image(cluster: &Cluster) -> Result<String> {
    let mut image = Image::of_program(SAMPLE_IMAGE, "/sample-web-app", build_sample()?);
    image.exposed_ports = vec![8080, 9090];
    idp_cluster::load_image(cluster, &image).await
}

/// The statically linked program. It is built outside the work tree's own target folder, because its flags differ.
///
/// # Errors
/// When the build fails.
pub fn build_sample() -> Result<Vec<u8>> {
    let target = Cache::from_env()?.root().join("target/sample");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(root())
        .args([
            "build",
            "--quiet",
            "--package",
            "sample-web-app",
            "--profile",
            "image",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .status()?;
    if !status.success() {
        bail!("the sample application does not build ({status})");
    }
    Ok(std::fs::read(target.join(TARGET).join("image/sample-web-app"))?)
}

//! Images of the sample application and the platform's controllers, built without a container engine.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};
use idp_cluster::{Cache, Cluster, Image, ImageFile};

use crate::{program, root};

/// The image's name in `applications/sample-web-app/webapplication.yaml`.
pub const SAMPLE_IMAGE: &str = "sample-web-app:0.1.0";

/// The sample's target. With an explicit target, the flags below do not apply to build scripts.
#[cfg(target_arch = "aarch64")]
const TARGET: &str = "aarch64-unknown-linux-gnu";
/// See above.
#[cfg(not(target_arch = "aarch64"))]
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds a static program and an image of the sample, and loads the image into the cluster's node. Returns its digest.
///
/// # Errors
/// When the build fails, or the cluster has no real node.
pub async fn load_sample_image(cluster: &Cluster) -> Result<String> {
    let mut image = Image::of_program(SAMPLE_IMAGE, "/sample-web-app", build_sample()?);
    image.exposed_ports = vec![8080, 9090];
    idp_cluster::load_image(cluster, &image).await
}

/// Builds the static program. It has its own target folder, as its flags differ.
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
        // Set where builds are linted; without it the program of the last run is as good as new.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()?;
    if !status.success() {
        bail!("The build of the sample application failed ({status}).");
    }
    Ok(std::fs::read(target.join(TARGET).join("image/sample-web-app"))?)
}

/// Builds an image of a controller's test build and its shared libraries, and loads it into the cluster's node under the
/// name in its chart.
///
/// Release images are static, but building them would take as long as all tests.
///
/// # Errors
/// When its libraries cannot be found, or the cluster has no real node.
pub async fn load_controller_image(cluster: &Cluster, name: &str) -> Result<String> {
    let program = program(name);
    let reference = format!("{name}:{}", env!("CARGO_PKG_VERSION"));
    let mut image = Image::of_program(&reference, &format!("/{name}"), std::fs::read(&program)?);
    for library in libraries(&program)? {
        image.files.push(ImageFile {
            mode: 0o755,
            content: std::fs::read(&library).with_context(|| library.clone())?,
            path: library,
        });
    }
    // As in images with a C library: without it, only DNS resolves names, which does not know the pod's own.
    image.files.push(ImageFile {
        path: "/etc/nsswitch.conf".to_owned(),
        mode: 0o644,
        content: b"hosts: files dns\n".to_vec(),
    });
    idp_cluster::load_image(cluster, &image).await
}

/// Paths of a program's shared libraries, including its loader.
fn libraries(program: &Path) -> Result<Vec<String>> {
    let output = Command::new("ldd").arg(program).output()?;
    if !output.status.success() {
        bail!(
            "ldd {}: {}",
            program.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let text = String::from_utf8(output.stdout)?;
    // `libc.so.6 => /lib/libc.so.6 (0x1)`, or `/lib64/ld-linux.so.2 (0x1)`
    let paths = text.split_whitespace().filter(|word| word.starts_with('/'));
    Ok(paths.map(str::to_owned).collect())
}

//! Images of the sample application and of our controllers, made without a container engine.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};
use idp_cluster::{Cache, Cluster, Image, ImageFile};

use crate::{program, root};

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
        // Set where builds are linted; without it the program of the last run is as good as new.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()?;
    if !status.success() {
        bail!("the sample application does not build ({status})");
    }
    Ok(std::fs::read(target.join(TARGET).join("image/sample-web-app"))?)
}

/// Makes an image of a controller as the tests have it, with the shared libraries that it needs, and loads it into the
/// cluster's node under the name that its chart expects.
///
/// Not built anew without them, as images for others are: that would take as long as all the tests.
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
    // As images with a C library have it: it would ask DNS only, and not know the pod's own names.
    image.files.push(ImageFile {
        path: "/etc/nsswitch.conf".to_owned(),
        mode: 0o644,
        content: b"hosts: files dns\n".to_vec(),
    });
    idp_cluster::load_image(cluster, &image).await
}

/// Paths of the shared libraries that a program loads, its loader among them.
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

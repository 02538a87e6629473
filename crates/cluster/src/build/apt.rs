//! Installing Debian packages.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// Whether a program is on the PATH, or a file exists.
pub(crate) fn found(item: &str) -> bool {
    if item.starts_with('/') {
        return Path::new(item).exists();
    }
    // The system folders too: a user's PATH often lacks them.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/bin"].map(Into::into);
    std::env::split_paths(&path)
        .chain(system)
        .any(|dir| dir.join(item).exists())
}

/// Whether this process may install packages: it is root, and apt exists.
pub(crate) fn can_install_packages() -> bool {
    rustix::process::geteuid().is_root() && found("apt-get")
}

/// Installs packages with apt.
pub(crate) async fn apt_install(packages: &[&str]) -> Result<()> {
    apt(&["update"]).await?;
    let mut install = vec!["install", "-y", "--no-install-recommends"];
    install.extend(packages);
    apt(&install).await
}

async fn apt(args: &[&str]) -> Result<()> {
    let output = Command::new("apt-get")
        .arg("-q")
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .await
        .context("running apt-get")?;
    if !output.status.success() {
        bail!(
            "apt-get {} failed:\n{}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

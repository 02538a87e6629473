//! The Debian packages that a real node needs.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::progress::{Progress, step};

/// Package, and a program or file that shows it is there, however it was installed.
const NEEDED: &[(&str, &[&str])] = &[
    ("containerd", &["containerd", "ctr"]),
    ("runc", &["runc"]),
    (
        "containernetworking-plugins",
        &["/usr/lib/cni/ptp", "/opt/cni/bin/ptp"],
    ),
    ("nftables", &["nft"]),
    ("conntrack", &["conntrack"]),
    ("iptables", &["iptables"]),
    ("iproute2", &["ip"]),
];

/// The packages without which no real node can run here; empty when all is in place.
#[must_use]
pub fn missing_packages() -> Vec<&'static str> {
    NEEDED
        .iter()
        .filter(|(_, evidence)| !evidence.iter().any(|item| found(item)))
        .map(|(name, _)| *name)
        .collect()
}

fn found(item: &str) -> bool {
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

/// Whether this machine could run a real node, given the packages: Linux, and root.
#[must_use]
pub fn can_run_real_node() -> bool {
    cfg!(target_os = "linux") && rustix::process::geteuid().is_root()
}

/// Installs the missing packages with apt. A containerd service that Debian starts with the package is not used
/// and not touched: each cluster runs one of its own.
///
/// # Errors
/// When there is no apt here, or it fails.
pub async fn install_packages(progress: &dyn Progress) -> Result<()> {
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    if !found("apt-get") {
        bail!(
            "there is no apt-get here: install {} by other means",
            missing.join(", ")
        );
    }
    let title = format!("install {}", missing.join(", "));
    step(progress, &title, apt_install(&missing)).await
}

/// Whether packages can be installed without asking anybody.
pub(crate) fn can_install_packages() -> bool {
    can_run_real_node() && found("apt-get")
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

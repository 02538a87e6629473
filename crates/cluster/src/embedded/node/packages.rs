//! The Debian packages that a real node needs.

use anyhow::{Result, bail};

use crate::build::apt::{apt_install, found};
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

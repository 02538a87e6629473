//! The Debian packages that a real node needs.

use anyhow::{Result, bail};

use crate::build::apt::{apt_install, found};
use crate::progress::{Progress, step};

/// Packages, each with programs or files of which one shows that it is installed.
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

/// The packages that a real node needs and this machine lacks.
#[must_use]
pub fn missing_packages() -> Vec<&'static str> {
    NEEDED
        .iter()
        .filter(|(_, evidence)| !evidence.iter().any(|item| found(item)))
        .map(|(name, _)| *name)
        .collect()
}

/// Whether this process can run a real node once the packages are installed: it needs Linux and root.
#[must_use]
pub fn can_run_real_node() -> bool {
    cfg!(target_os = "linux") && rustix::process::geteuid().is_root()
}

/// Installs the missing packages with apt. Debian starts a containerd service with the package, which clusters do not
/// use: each runs its own.
///
/// # Errors
/// When apt does not exist, or fails.
pub async fn install_packages(progress: &dyn Progress) -> Result<()> {
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    if !found("apt-get") {
        bail!(
            "Cannot find apt-get. Install these packages yourself: {}",
            missing.join(", ")
        );
    }
    let title = format!("install {}", missing.join(", "));
    step(progress, &title, apt_install(&missing)).await
}

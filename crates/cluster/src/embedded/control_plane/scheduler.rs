//! The scheduler.

use std::net::Ipv4Addr;

use super::ControlPlane;
use crate::process::daemon::Daemon;

pub(crate) fn daemon(plane: &ControlPlane<'_>) -> Daemon {
    let port = plane.ports.scheduler;
    let mut flags = plane.component("scheduler", "scheduler-server", port);
    flags.extend(["--kube-api-qps=1000".into(), "--kube-api-burst=2000".into()]);
    plane.daemon("kube-scheduler", port, Ipv4Addr::LOCALHOST, flags)
}

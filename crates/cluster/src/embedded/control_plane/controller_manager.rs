//! The controller manager.

use std::net::Ipv4Addr;

use super::ControlPlane;
use crate::process::daemon::Daemon;

pub(crate) fn daemon(plane: &ControlPlane<'_>) -> Daemon {
    let port = plane.ports.controller_manager;
    let mut flags = plane.component("controller-manager", "controller-manager-server", port);
    flags.extend([
        "--use-service-account-credentials=true".into(),
        format!(
            "--service-account-private-key-file={}",
            plane.cert("service-accounts.key")
        ),
        format!("--root-ca-file={}", plane.cert("ca.crt")),
        format!("--cluster-signing-cert-file={}", plane.cert("ca.crt")),
        format!("--cluster-signing-key-file={}", plane.cert("ca.key")),
        "--allocate-node-cidrs=false".into(),
        // By default it creates a folder outside the cluster's folder.
        format!(
            "--flex-volume-plugin-dir={}",
            plane.folder.path.join("config/volume-plugins").display()
        ),
        "--kube-api-qps=1000".into(),
        "--kube-api-burst=2000".into(),
        "--concurrent-deployment-syncs=20".into(),
        "--concurrent-replicaset-syncs=20".into(),
        "--concurrent-statefulset-syncs=20".into(),
        "--concurrent-job-syncs=20".into(),
        "--concurrent-endpoint-syncs=20".into(),
        "--concurrent-service-endpoint-syncs=20".into(),
        "--concurrent-gc-syncs=40".into(),
        "--concurrent-namespace-syncs=20".into(),
        "--concurrent-serviceaccount-token-syncs=20".into(),
        "--concurrent-horizontal-pod-autoscaler-syncs=10".into(),
        // No metrics server runs here: an autoscaler can only report that, with two events each time. The default is 15 s.
        "--horizontal-pod-autoscaler-sync-period=60s".into(),
    ]);
    plane.daemon("kube-controller-manager", port, Ipv4Addr::LOCALHOST, flags)
}

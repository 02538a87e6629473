//! The kubelet.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

use super::Node;
use super::containerd::socket;
use crate::process::daemon::Daemon;

pub(crate) fn daemon(node: &Node<'_>) -> Result<Daemon> {
    let folder = node.plane.folder;
    let config = folder.write_config("kubelet.json", &config(node))?;
    let node_ip = node.index().node_ip();
    let args = vec![
        "kubelet".into(),
        format!("--config={config}"),
        format!("--kubeconfig={}", node.plane.kubeconfig_of("kubelet")),
        format!("--hostname-override={}", super::name(&folder.name)),
        format!("--node-ip={node_ip}"),
        format!("--root-dir={}", node.state("kubelet").display()),
        format!("--cert-dir={}", node.state("certs").display()),
    ];
    Ok(node.daemon(
        "kubelet",
        node.plane.program.clone(),
        args,
        format!("https://{node_ip}:10250"),
    ))
}

fn config(node: &Node<'_>) -> String {
    let cert = |file: &str| node.plane.folder.cert(file);
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.index().node_ip(),
        "tlsCertFile": cert("kubelet-server.crt"),
        "tlsPrivateKeyFile": cert("kubelet-server.key"),
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": cert("ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "containerRuntimeEndpoint": format!("unix://{}", socket(node.index()).display()),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", node.index().interface()),
        "enforceNodeAllocatable": [],
        // Many development machines have cgroup v1 or swap.
        "failCgroupV1": false,
        "failSwapOn": false,
        "podLogsDir": node.state("pod-logs"),
        "volumePluginDir": node.state("kubelet").join("volume-plugins"),
        "resolvConf": resolv_conf(),
        // A developer's full disk must not make the kubelet delete images and evict pods.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": { "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%" },
        "makeIPTablesUtilChains": false,
        "serializeImagePulls": false,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        "nodeStatusUpdateFrequency": "5s",
    })
    .to_string()
}

/// Pods cannot reach a resolver on the host's loopback, so they use the one behind it.
fn resolv_conf() -> &'static str {
    let behind = "/run/systemd/resolve/resolv.conf";
    let stub = fs::read_to_string("/etc/resolv.conf").is_ok_and(|text| text.contains("127.0.0.53"));
    if stub && Path::new(behind).exists() {
        behind
    } else {
        "/etc/resolv.conf"
    }
}

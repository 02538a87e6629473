//! kube-proxy, which implements Services on the node.

use anyhow::Result;
use serde_json::json;

use super::Node;
use crate::process::daemon::Daemon;

pub(crate) fn daemon(node: &Node<'_>) -> Result<Daemon> {
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "hostnameOverride": super::name(&node.plane.folder.name),
        "clusterCIDR": node.index().pod_cidr(),
        "clientConnection": { "kubeconfig": node.plane.kubeconfig_of("kube-proxy"), "qps": 100.0, "burst": 200 },
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        // Connection tracking limits belong to the whole machine, so they stay unchanged.
        "conntrack": { "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s" },
        "nftables": { "syncPeriod": "30s", "minSyncPeriod": "200ms" },
    });
    let config = node
        .plane
        .folder
        .write_config("kube-proxy.json", &config.to_string())?;
    let args = vec!["kube-proxy".into(), format!("--config={config}")];
    let endpoint = format!("Services in {}", node.index().service_cidr());
    Ok(node.daemon("kube-proxy", node.plane.program.clone(), args, endpoint))
}

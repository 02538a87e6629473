//! The real node: containerd, kubelet and kube-proxy, their configuration and start.

pub(crate) mod cgroup;
pub(crate) mod cleanup;
pub(crate) mod mounts;
pub(crate) mod network;
pub(crate) mod packages;
pub(crate) mod pods;
pub(crate) mod sysctl;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use crate::embedded::addresses::Index;
use crate::embedded::control_plane::ControlPlane;
use crate::process::daemon::Daemon;
use crate::process::go;

/// The sandbox image: made here, so that no pod needs a registry for its first container.
pub(crate) const PAUSE_IMAGE: &str = "localhost/idp-pause:1";

/// The node's name.
pub(crate) fn name(cluster: &str) -> String {
    format!("{cluster}-node")
}

/// The socket on which containerd serves the kubelet and `ctr`.
pub(crate) fn containerd_socket(index: Index) -> PathBuf {
    index.run_dir().join("containerd.sock")
}

/// What the node's programs need to know.
pub(crate) struct Node<'a> {
    pub(crate) plane: &'a ControlPlane<'a>,
}

impl Node<'_> {
    fn index(&self) -> Index {
        self.plane.index
    }

    fn state(&self, name: &str) -> PathBuf {
        self.plane.folder.path.join(name)
    }

    fn daemon(&self, name: &'static str, program: PathBuf, args: Vec<String>, endpoint: String) -> Daemon {
        // containerd fetches images, so it alone keeps the proxy settings.
        let uses_proxy = name == "containerd";
        Daemon {
            name: name.to_owned(),
            program,
            args,
            env: go::variables(),
            netns: Some(network::netns(self.index())),
            uses_proxy,
            endpoint,
            health: None,
        }
    }

    pub(crate) fn containerd(&self) -> Result<Daemon> {
        let folder = self.plane.folder;
        let cni = self.state("config").join("cni");
        fs::create_dir_all(&cni)?;
        fs::write(
            cni.join("10-idp.conflist"),
            network::cni_config(self.index(), &self.state("cni")),
        )
        .context("writing the CNI configuration")?;
        let config = containerd_config(self.index(), &self.state("containerd"), &cni, &cni_plugins());
        let config = folder.write_config("containerd.toml", &config)?;
        let socket = containerd_socket(self.index());
        let args = vec!["--config".into(), config];
        Ok(self.daemon(
            "containerd",
            "containerd".into(),
            args,
            format!("unix://{}", socket.display()),
        ))
    }

    pub(crate) fn kubelet(&self) -> Result<Daemon> {
        let folder = self.plane.folder;
        let config = folder.write_config("kubelet.json", &self.kubelet_config())?;
        let node_ip = self.index().node_ip();
        let args = vec![
            "kubelet".into(),
            format!("--config={config}"),
            format!("--kubeconfig={}", self.plane.kubeconfig_of("kubelet")),
            format!("--hostname-override={}", name(&folder.name)),
            format!("--node-ip={node_ip}"),
            format!("--root-dir={}", self.state("kubelet").display()),
            format!("--cert-dir={}", self.state("certs").display()),
        ];
        Ok(self.daemon(
            "kubelet",
            self.plane.program.clone(),
            args,
            format!("https://{node_ip}:10250"),
        ))
    }

    fn kubelet_config(&self) -> String {
        let cert = |file: &str| self.plane.folder.cert(file);
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.index().node_ip(),
            "tlsCertFile": cert("kubelet-server.crt"),
            "tlsPrivateKeyFile": cert("kubelet-server.key"),
            "authentication": {
                "anonymous": { "enabled": false },
                "webhook": { "enabled": true },
                "x509": { "clientCAFile": cert("ca.crt") },
            },
            "authorization": { "mode": "Webhook" },
            "containerRuntimeEndpoint": format!("unix://{}", containerd_socket(self.index()).display()),
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": format!("/{}", self.index().interface()),
            "enforceNodeAllocatable": [],
            // Many machines to develop on still have version 1 control groups, or swap.
            "failCgroupV1": false,
            "failSwapOn": false,
            "podLogsDir": self.state("pod-logs"),
            "volumePluginDir": self.state("kubelet").join("volume-plugins"),
            "resolvConf": resolv_conf(),
            // The disk is the developer's: a full one must not make the kubelet delete images and evict pods.
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

    pub(crate) fn kube_proxy(&self) -> Result<Daemon> {
        let config = json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "hostnameOverride": name(&self.plane.folder.name),
            "clusterCIDR": self.index().pod_cidr(),
            "clientConnection": { "kubeconfig": self.plane.kubeconfig_of("kube-proxy"), "qps": 100.0, "burst": 200 },
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            // The limits of connection tracking are the whole machine's, not the cluster's.
            "conntrack": { "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s" },
            "nftables": { "syncPeriod": "30s", "minSyncPeriod": "200ms" },
        });
        let config = self
            .plane
            .folder
            .write_config("kube-proxy.json", &config.to_string())?;
        let args = vec!["kube-proxy".into(), format!("--config={config}")];
        let endpoint = format!("Services in {}", self.index().service_cidr());
        Ok(self.daemon("kube-proxy", self.plane.program.clone(), args, endpoint))
    }
}

fn containerd_config(index: Index, root: &Path, cni_conf: &Path, cni_bin: &Path) -> String {
    let run = index.run_dir();
    let quoted = |path: PathBuf| format!("{:?}", path.display().to_string());
    let (root, cni_conf, cni_bin) = (
        quoted(root.into()),
        quoted(cni_conf.into()),
        quoted(cni_bin.into()),
    );
    let state = quoted(run.join("containerd"));
    let runc = quoted(run.join("runc"));
    let socket = quoted(run.join("containerd.sock"));
    // restrict_oom_score_adj: where containerd itself may not lower scores, every sandbox would fail otherwise.
    format!(
        r#"version = 2
root = {root}
state = {state}

[grpc]
  address = {socket}

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = {cni_bin}
    conf_dir = {cni_conf}

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = {runc}
      SystemdCgroup = false
"#
    )
}

/// Debian puts the plug-ins into one folder, the upstream archive into another.
fn cni_plugins() -> PathBuf {
    let candidates = ["/usr/lib/cni", "/opt/cni/bin"].map(PathBuf::from);
    candidates
        .iter()
        .find(|dir| dir.join("ptp").exists())
        .unwrap_or(&candidates[0])
        .clone()
}

/// A resolver that answers on the host's loopback only is of no use to a pod: the one behind it is.
fn resolv_conf() -> &'static str {
    let behind = "/run/systemd/resolve/resolv.conf";
    let stub = fs::read_to_string("/etc/resolv.conf").is_ok_and(|text| text.contains("127.0.0.53"));
    if stub && Path::new(behind).exists() {
        behind
    } else {
        "/etc/resolv.conf"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containerd_keeps_everything_in_its_own_folders() {
        let config = containerd_config(
            Index(7),
            Path::new("/c/root"),
            Path::new("/c/cni"),
            Path::new("/bin/cni"),
        );
        for line in [
            r#"root = "/c/root""#,
            r#"state = "/run/idp/7/containerd""#,
            r#"address = "/run/idp/7/containerd.sock""#,
            r#"Root = "/run/idp/7/runc""#,
            "restrict_oom_score_adj = true",
        ] {
            assert!(config.contains(line), "{line} is missing");
        }
    }
}

//! containerd, which runs the node's containers.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Node, PAUSE_IMAGE, network};
use crate::embedded::addresses::Index;
use crate::process::daemon::Daemon;

/// containerd's socket, for kubelet and `ctr`.
pub(crate) fn socket(index: Index) -> PathBuf {
    index.run_dir().join("containerd.sock")
}

pub(crate) fn daemon(node: &Node<'_>) -> Result<Daemon> {
    let folder = node.plane.folder;
    let cni = node.state("config").join("cni");
    fs::create_dir_all(&cni)?;
    fs::write(
        cni.join("10-idp.conflist"),
        network::cni_config(node.index(), &node.state("cni")),
    )
    .context("writing the CNI configuration")?;
    let config = config(node.index(), &node.state("containerd"), &cni, &cni_plugins());
    let config = folder.write_config("containerd.toml", &config)?;
    let socket = socket(node.index());
    let args = vec!["--config".into(), config];
    Ok(node.daemon(
        "containerd",
        "containerd".into(),
        args,
        format!("unix://{}", socket.display()),
    ))
}

fn config(index: Index, root: &Path, cni_conf: &Path, cni_bin: &Path) -> String {
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
    // restrict_oom_score_adj: without it, all sandboxes fail where containerd may not lower OOM scores.
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

/// Debian and the upstream archive install the plug-ins into different folders.
fn cni_plugins() -> PathBuf {
    let candidates = ["/usr/lib/cni", "/opt/cni/bin"].map(PathBuf::from);
    candidates
        .iter()
        .find(|dir| dir.join("ptp").exists())
        .unwrap_or(&candidates[0])
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containerd_uses_the_clusters_folders_only() {
        let config = super::config(
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

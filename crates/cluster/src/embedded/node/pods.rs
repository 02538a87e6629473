//! Stopping a real node's pods, and containerd's shims.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::embedded::addresses::Index;
use crate::embedded::node::cgroup;
use crate::embedded::node::containerd::socket;
use crate::embedded::node::images::ctr;
use crate::process::identity::{Identity, stop};

/// Kills all processes of all pods. Stop the kubelet first, or it restarts them.
pub(crate) async fn stop_all(index: Index) {
    let group = index.interface();
    // Several rounds, as processes may fork meanwhile.
    for _ in 0..5 {
        let processes: Vec<_> = cgroup::processes(&group)
            .into_iter()
            .filter_map(Identity::of)
            .collect();
        if processes.is_empty() {
            break;
        }
        stop(&processes, Duration::from_secs(1)).await;
    }
    let socket = socket(index);
    if !socket.exists() {
        return;
    }
    let forget = forget_containers(&socket);
    // Errors do not matter: containerd copes with containers without processes, as after a power cut.
    let _ = tokio::time::timeout(Duration::from_secs(10), forget).await;
}

/// Deletes the containers from containerd's records, so that the next start has none. Keeps images.
async fn forget_containers(socket: &Path) -> anyhow::Result<()> {
    let tasks = ctr(socket, &["tasks", "list", "--quiet"]).await?;
    let tasks: Vec<_> = tasks.split_ascii_whitespace().collect();
    if !tasks.is_empty() {
        let _ = ctr(
            socket,
            &[&["tasks", "delete", "--force"], tasks.as_slice()].concat(),
        )
        .await;
    }
    let containers = ctr(socket, &["containers", "list", "--quiet"]).await?;
    let containers: Vec<_> = containers.split_ascii_whitespace().collect();
    if !containers.is_empty() {
        ctr(
            socket,
            &[&["containers", "delete"], containers.as_slice()].concat(),
        )
        .await?;
    }
    Ok(())
}

/// Stops the shims of this cluster's containerd, identified by its socket.
pub(crate) async fn stop_shims(index: Index) {
    let socket = socket(index);
    let Some(socket) = socket.to_str() else { return };
    let Ok(entries) = fs::read_dir("/proc") else {
        return;
    };
    let shims: Vec<_> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| is_shim_of(*pid, socket))
        .filter_map(Identity::of)
        .collect();
    stop(&shims, Duration::from_secs(1)).await;
}

fn is_shim_of(pid: i32, socket: &str) -> bool {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else {
        return false;
    };
    let args: Vec<_> = line
        .split(|byte| *byte == 0)
        .filter_map(|arg| std::str::from_utf8(arg).ok())
        .collect();
    let program = args
        .first()
        .is_some_and(|program| program.contains("containerd-shim"));
    program && args.windows(2).any(|pair| pair == ["-address", socket])
}

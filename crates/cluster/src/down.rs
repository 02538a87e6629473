//! Stopping a cluster in reverse start order, and cleaning up the machine.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::embedded::node::{cgroup, cleanup, mounts, network, pods, sysctl};
use crate::embedded::state::{Folder, State};
use crate::kind;
use crate::process::identity::{Identity, stop};

/// Folders of a cluster that are useless without its processes.
const VOLATILE: &[&str] = &["kubelet", "cni", "pod-logs", "config"];

/// Whether to delete a stopped cluster's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    /// The next start finds objects, images and credentials again.
    KeepData,
    /// Deletes everything.
    Everything,
}

/// Stops an embedded or kind cluster. Touches only processes that it started, identified by process ID and start time.
/// Does nothing if the cluster is down or was never started.
///
/// # Errors
/// When something cannot be unmounted, restored or deleted.
pub async fn down(name: &str, purge: Purge) -> Result<()> {
    let cache = Cache::from_env()?;
    let folder = Folder::new(&cache, name)?;
    if !folder.path.exists() {
        return Ok(());
    }
    let lock = folder.lock().await?;
    if kind::marker(&folder).exists() {
        kind::down(name).await?;
        return remove_dir(&folder.path);
    }
    if let Some(mut state) = folder.load()? {
        stop_processes(&state).await;
        clean_machine(&folder, &state).await?;
        state.processes.clear();
        folder.save(&state)?;
    }
    for dir in VOLATILE {
        remove_dir(&folder.path.join(dir))?;
    }
    if purge == Purge::Everything {
        remove_dir(&folder.path)?;
        fs::remove_file(folder.path.with_extension("lock")).context("deleting the lock file")?;
    }
    drop(lock);
    Ok(())
}

async fn stop_processes(state: &State) {
    let named = |name: &str| -> Vec<Identity> {
        let found = state.processes.iter().filter(|recorded| recorded.name == name);
        found.map(|recorded| recorded.process.clone()).collect()
    };
    let companions = state.processes.iter().filter(|recorded| recorded.companion);
    stop(
        &companions
            .map(|recorded| recorded.process.clone())
            .collect::<Vec<_>>(),
        Duration::from_secs(10),
    )
    .await;
    // First those that would restart what stops after them.
    let clients = [
        "kwok",
        "kube-proxy",
        "kubelet",
        "kube-scheduler",
        "kube-controller-manager",
    ];
    stop(
        &clients.iter().flat_map(|name| named(name)).collect::<Vec<_>>(),
        Duration::from_secs(3),
    )
    .await;
    if state.real_node {
        pods::stop_all(state.index).await;
        let containerd = named("containerd");
        stop(&containerd, Duration::from_secs(5)).await;
        pods::stop_shims(state.index).await;
    }
    // The API server would wait long for its watches to end; its data is in etcd.
    stop(&named("kube-apiserver"), Duration::from_secs(2)).await;
    stop(&named("etcd"), Duration::from_secs(10)).await;
}

async fn clean_machine(folder: &Folder, state: &State) -> Result<()> {
    if !state.real_node {
        // It owns nothing on the machine. An index is unique within one cache only, so an interface of this number may
        // belong to another cache's cluster.
        return Ok(());
    }
    let index = state.index;
    let sockets = cleanup::shim_sockets(index);
    mounts::remove_under(&folder.path)?;
    network::remove(index).await;
    mounts::remove_under(&index.run_dir())?;
    remove_dir(&index.run_dir())?;
    let group = index.interface();
    // The kernel needs a moment until it counts the group as empty.
    for _ in 0..20 {
        cgroup::remove(&group);
        if !cgroup::exists(&group) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let last = sysctl::release(index).await?;
    cleanup::remove(folder, index, &sockets, last);
    Ok(())
}

fn remove_dir(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("deleting {}", path.display()))
        }
        _ => Ok(()),
    }
}

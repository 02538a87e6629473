//! Removing files that kubelet, containerd and CNI write outside the cluster's folders.

use std::fs;
use std::path::{Path, PathBuf};

use crate::embedded::addresses::Index;
use crate::embedded::state::Folder;

/// The sockets of containerd's shims, whose folder cannot be configured. Call it before containerd's state is removed,
/// as only that state lists the cluster's own sockets.
pub(crate) fn shim_sockets(index: Index) -> Vec<PathBuf> {
    let tasks = index
        .run_dir()
        .join("containerd/io.containerd.runtime.v2.task/k8s.io");
    let Ok(entries) = fs::read_dir(tasks) else {
        return vec![];
    };
    entries
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("address")).ok())
        .filter_map(|address| Some(PathBuf::from(address.trim().strip_prefix("unix://")?)))
        .collect()
}

/// Removes this cluster's files, and folders that are then empty. `last` also removes the files that kubelets share.
pub(crate) fn remove(folder: &Folder, index: Index, sockets: &[PathBuf], last: bool) {
    for socket in sockets {
        let _ = fs::remove_file(socket);
    }
    // CNI keeps a result for each pod; its network namespace identifies the cluster.
    let namespaces = format!("{}/", index.run_dir().display());
    remove_where("/var/lib/cni/results", |path| {
        fs::read_to_string(path).is_ok_and(|result| result.contains(&namespaces))
    });
    let logs = folder.path.join("pod-logs");
    remove_where("/var/log/containers", |path| {
        fs::read_link(path).is_ok_and(|to| to.starts_with(&logs))
    });
    // The path of the device plug-in socket is fixed too.
    remove_where("/var/lib/kubelet/device-plugins", |path| {
        last && path.ends_with("kubelet.sock")
    });
    for empty in [
        "/run/containerd/s",
        "/run/containerd",
        "/var/lib/cni/results",
        "/var/lib/cni",
        "/var/log/containers",
        "/var/lib/kubelet/device-plugins",
        "/var/lib/kubelet",
        "/run/idp",
    ] {
        let _ = fs::remove_dir(empty); // fails unless empty
    }
}

fn remove_where(folder: &str, ours: impl Fn(&Path) -> bool) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| ours(path))
    {
        let _ = fs::remove_file(path);
    }
}

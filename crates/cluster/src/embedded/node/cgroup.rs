//! The control groups of a cluster's pods.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const ROOT: &str = "/sys/fs/cgroup";

/// Creates the group. The kubelet needs its root group before it starts.
pub(crate) fn create(name: &str) -> Result<()> {
    if is_unified() {
        // A group can use only the controllers that all its parents enable.
        for controller in ["cpu", "cpuset", "memory", "pids", "hugetlb", "io"] {
            let _ = fs::write(
                Path::new(ROOT).join("cgroup.subtree_control"),
                format!("+{controller}"),
            );
        }
    }
    for hierarchy in hierarchies() {
        let group = hierarchy.join(name);
        fs::create_dir_all(&group).with_context(|| format!("creating {}", group.display()))?;
        // In cgroup v1 a new cpuset is empty, and no process can run in it.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(inherited) = fs::read_to_string(hierarchy.join(file)) {
                let _ = fs::write(group.join(file), inherited);
            }
        }
    }
    Ok(())
}

/// All processes in the group and below.
pub(crate) fn processes(name: &str) -> Vec<i32> {
    let mut pids: Vec<i32> = hierarchies()
        .iter()
        .flat_map(|hierarchy| groups_below(&hierarchy.join(name)))
        .filter_map(|group| fs::read_to_string(group.join("cgroup.procs")).ok())
        .flat_map(|text| {
            text.lines()
                .filter_map(|line| line.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// Removes the group and all groups below it. They must have no processes.
pub(crate) fn remove(name: &str) {
    for hierarchy in hierarchies() {
        for group in groups_below(&hierarchy.join(name)) {
            let _ = fs::remove_dir(group);
        }
    }
}

/// Whether the group exists in any hierarchy.
pub(crate) fn exists(name: &str) -> bool {
    hierarchies()
        .iter()
        .any(|hierarchy| hierarchy.join(name).exists())
}

fn is_unified() -> bool {
    Path::new(ROOT).join("cgroup.controllers").exists()
}

/// One folder in cgroup v2; one for each controller in cgroup v1.
fn hierarchies() -> Vec<PathBuf> {
    if is_unified() {
        return vec![PathBuf::from(ROOT)];
    }
    let Ok(entries) = fs::read_dir(ROOT) else {
        return vec![];
    };
    // Links such as cpu,cpuacct would repeat a hierarchy.
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .filter(|path| path.join("cgroup.procs").exists())
        .collect()
}

/// The group and its descendants, the deepest first.
fn groups_below(group: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(group) else {
        return vec![];
    };
    let mut all: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .flat_map(|entry| groups_below(&entry.path()))
        .collect();
    all.push(group.to_owned());
    all
}

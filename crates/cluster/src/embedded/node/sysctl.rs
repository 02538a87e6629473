//! Kernel settings of the whole machine that real nodes change. They are restored when the last node stops.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::cache::{Lock, write_atomic};
use crate::embedded::addresses::Index;

/// This crate's setting: the host routes pods' packets.
const FORWARDING: &str = "net/ipv4/ip_forward";

/// Settings that the kubelet changes at its start and does not need.
const KUBELETS: &[&str] = &[
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

/// Below `/run`, as a boot resets both the folder and the settings.
const RECORD: &str = "/run/idp/sysctl.json";
const LOCK: &str = "/run/lock/idp.lock";

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    /// Values before the first node.
    prior: BTreeMap<String, String>,
    /// Indexes of the clusters whose nodes need the settings.
    users: Vec<u8>,
}

/// Records the settings if this is the first node, then enables forwarding.
pub(crate) async fn acquire(index: Index) -> Result<()> {
    let _lock = Lock::acquire(Path::new(LOCK)).await?;
    let mut record = load();
    if record.users.is_empty() {
        let names = KUBELETS.iter().chain([&FORWARDING]);
        record.prior = names
            .filter_map(|name| {
                Some((
                    (*name).to_owned(),
                    fs::read_to_string(path(name)).ok()?.trim().to_owned(),
                ))
            })
            .collect();
    }
    if !record.users.contains(&index.0) {
        record.users.push(index.0);
    }
    write_atomic(Path::new(RECORD), &serde_json::to_vec(&record)?, 0o600)?;
    fs::write(path(FORWARDING), "1").context("enabling IP forwarding")
}

/// Restores at once what the kubelet changed: otherwise a kernel fault would restart the developer's machine.
pub(crate) async fn undo_kubelets() -> Result<()> {
    let _lock = Lock::acquire(Path::new(LOCK)).await?;
    let record = load();
    put_back(record.prior.iter().filter(|(name, _)| *name != FORWARDING))
}

/// Restores the settings if no other cluster's node needs them. Returns whether this was the last node.
pub(crate) async fn release(index: Index) -> Result<bool> {
    let _lock = Lock::acquire(Path::new(LOCK)).await?;
    let mut record = load();
    if !record.users.contains(&index.0) {
        return Ok(record.users.is_empty());
    }
    record.users.retain(|user| *user != index.0);
    if !record.users.is_empty() {
        write_atomic(Path::new(RECORD), &serde_json::to_vec(&record)?, 0o600)?;
        return Ok(false);
    }
    put_back(record.prior.iter())?;
    let _ = fs::remove_file(RECORD);
    Ok(true)
}

fn put_back<'a>(settings: impl Iterator<Item = (&'a String, &'a String)>) -> Result<()> {
    for (name, value) in settings {
        let now = fs::read_to_string(path(name)).unwrap_or_default();
        if now.trim() != value {
            fs::write(path(name), value).with_context(|| format!("restoring the kernel setting {name}"))?;
        }
    }
    Ok(())
}

fn load() -> Record {
    fs::read(RECORD)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

fn path(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name)
}

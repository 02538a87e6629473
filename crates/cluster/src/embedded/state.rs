//! A cluster's state between commands: its folder and `state.json`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Deserializer, Serialize};

use crate::cache::{Cache, Lock, write_atomic};
use crate::embedded::addresses::{Index, MAX_CLUSTERS, Ports};
use crate::peers::addon::Addon;
use crate::process::daemon::Daemon;
use crate::process::identity::Identity;

/// The maximum length of a cluster's name, as it becomes part of paths of limited length.
const MAX_NAME: usize = 24;

/// A started daemon.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) name: String,
    pub(crate) process: Identity,
    pub(crate) endpoint: String,
    /// Whether it runs beside the cluster, and not as a part of it.
    #[serde(default)]
    pub(crate) companion: bool,
    /// Its program and arguments, to start it again.
    #[serde(default)]
    pub(crate) daemon: Option<Daemon>,
}

/// The content of `state.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) index: Index,
    /// Whether it has a real node, and with it a network, mounts and control groups.
    pub(crate) real_node: bool,
    pub(crate) ports: Option<Ports>,
    /// In start order.
    pub(crate) processes: Vec<Recorded>,
    /// The fingerprint of the applied peers' CRDs.
    pub(crate) definitions: Option<String>,
    /// The peers that run beside it. Each start starts them again.
    #[serde(default, deserialize_with = "known_addons")]
    pub(crate) addons: Vec<Addon>,
    /// The LocalStack process that contains the sample's secrets.
    #[serde(default)]
    pub(crate) seeded: Option<Identity>,
    /// The binary of the control plane, as of the last start.
    pub(crate) program: Option<PathBuf>,
}

impl State {
    /// The daemon of this name, running or not.
    pub(crate) fn find(&self, name: &str) -> Option<&Recorded> {
        self.processes.iter().find(|recorded| recorded.name == name)
    }

    pub(crate) fn runs(&self, name: &str) -> bool {
        self.find(name).is_some_and(|recorded| recorded.process.alive())
    }
}

/// A cluster's folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) fn new(cache: &Cache, name: &str) -> Result<Self> {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(valid) || name.starts_with('-') {
            bail!(
                "Invalid cluster name {name:?}: use 1 to {MAX_NAME} characters of a-z, 0-9 and -, not starting with -."
            );
        }
        Ok(Self {
            name: name.to_owned(),
            path: cache.clusters().join(name),
        })
    }

    /// The lock for starting and stopping the cluster.
    pub(crate) async fn lock(&self) -> Result<Lock> {
        Lock::acquire(&self.path.with_extension("lock")).await
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.path.join("kubeconfig")
    }

    pub(crate) fn cert(&self, name: &str) -> PathBuf {
        self.path.join("certs").join(name)
    }

    pub(crate) fn audit_log(&self) -> PathBuf {
        self.path.join("audit.log")
    }

    pub(crate) fn log(&self, component: &str) -> PathBuf {
        self.path.join("logs").join(format!("{component}.log"))
    }

    /// Writes a configuration file. Each start rewrites it.
    pub(crate) fn write_config(&self, name: &str, content: &str) -> Result<String> {
        let path = self.path.join("config").join(name);
        write_atomic(&path, content.as_bytes(), 0o600)?;
        Ok(path.display().to_string())
    }

    pub(crate) fn load(&self) -> Result<Option<State>> {
        let path = self.path.join("state.json");
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(
                serde_json::from_slice(&bytes).with_context(|| format!("reading {}", path.display()))?,
            )),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    pub(crate) fn save(&self, state: &State) -> Result<()> {
        write_atomic(
            &self.path.join("state.json"),
            &serde_json::to_vec_pretty(state)?,
            0o600,
        )
    }

    /// Starts a daemon unless it runs.
    pub(crate) fn ensure(&self, state: &mut State, daemon: &Daemon, companion: bool) -> Result<Identity> {
        if let Some(recorded) = state.find(&daemon.name)
            && recorded.process.alive()
        {
            return Ok(recorded.process.clone());
        }
        let process = daemon.spawn(&self.log(&daemon.name))?;
        let recorded = Recorded {
            name: daemon.name.clone(),
            process: process.clone(),
            endpoint: daemon.endpoint.clone(),
            companion,
            daemon: Some(daemon.clone()),
        };
        let dead = state
            .processes
            .iter_mut()
            .find(|recorded| recorded.name == daemon.name);
        match dead {
            Some(dead) => *dead = recorded,
            None => state.processes.push(recorded),
        }
        // At once: `down` stops only recorded processes.
        self.save(state)?;
        Ok(process)
    }

    /// The cluster's state. A new cluster gets the lowest free index on this machine.
    pub(crate) async fn load_or_create(&self, cache: &Cache) -> Result<State> {
        if let Some(state) = self.load()? {
            return Ok(state);
        }
        let _lock = Lock::acquire(&cache.clusters().join("index.lock")).await?;
        let taken = taken_indexes(cache)?;
        let Some(index) = (0..MAX_CLUSTERS).map(Index).find(|index| !taken.contains(index)) else {
            bail!(
                "This machine already has {MAX_CLUSTERS} clusters. Purge one first: idp-cli --cluster NAME down --purge"
            );
        };
        for dir in ["logs", "certs", "config"] {
            fs::create_dir_all(self.path.join(dir))?;
        }
        let state = State {
            index,
            real_node: false,
            ports: None,
            processes: vec![],
            definitions: None,
            addons: vec![],
            seeded: None,
            program: None,
        };
        self.save(&state)?;
        Ok(state)
    }
}

/// The add-ons that this release knows. A cluster of another release may have others, and must still be listed and stopped.
fn known_addons<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Addon>, D::Error> {
    let recorded = Vec::<serde_json::Value>::deserialize(deserializer)?;
    let known = |addon| serde_json::from_value(addon).ok();
    Ok(recorded.into_iter().filter_map(known).collect())
}

fn taken_indexes(cache: &Cache) -> Result<Vec<Index>> {
    let mut taken = Vec::new();
    for name in names(cache)? {
        taken.extend(Folder::new(cache, &name)?.load()?.map(|state| state.index));
    }
    // Clusters of another cache folder are visible by their network interfaces.
    taken.extend(
        (0..MAX_CLUSTERS)
            .map(Index)
            .filter(|index| Path::new("/sys/class/net").join(index.interface()).exists()),
    );
    Ok(taken)
}

/// The names of all clusters, running or not.
pub(crate) fn names(cache: &Cache) -> Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(cache.clusters()) else {
        return Ok(vec![]);
    };
    let mut names: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.path().join("state.json").exists())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_cluster_gets_its_own_index_and_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let one = Folder::new(&cache, "one").unwrap();
        let first = one.load_or_create(&cache).await.unwrap().index;
        let second = Folder::new(&cache, "two")
            .unwrap()
            .load_or_create(&cache)
            .await
            .unwrap()
            .index;
        assert_ne!(first, second);
        assert_eq!(one.load_or_create(&cache).await.unwrap().index, first);
        assert_eq!(names(&cache).unwrap(), ["one", "two"]);
    }

    #[tokio::test]
    async fn a_cluster_with_addons_of_another_release_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let folder = Folder::new(&cache, "old").unwrap();
        let state = folder.load_or_create(&cache).await.unwrap();
        let mut recorded = serde_json::to_value(&state).unwrap();
        recorded["addons"] = serde_json::json!([{ "Crossplane": { "generation": "V1" } }, "CertManager"]);
        fs::write(folder.path.join("state.json"), recorded.to_string()).unwrap();
        assert_eq!(folder.load().unwrap().unwrap().addons, [Addon::CertManager]);
    }

    #[test]
    fn invalid_names_are_rejected() {
        let cache = Cache::at("/nowhere");
        for name in ["", "..", "a/b", "A", "-x", "much-too-long-a-name-for-a-cluster"] {
            assert!(Folder::new(&cache, name).is_err(), "{name}");
        }
    }
}

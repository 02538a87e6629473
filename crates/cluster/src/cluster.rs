//! A cluster that can be talked to, and what is known about its parts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::embedded::state::{Folder, Recorded, State, names};
use crate::embedded::{kubeconfig, node};
use crate::kind;
use crate::peers::addon::{self, Addon};

/// A cluster, started here or found.
#[derive(Debug, Clone)]
pub struct Cluster {
    folder: Folder,
    access: Access,
}

#[derive(Debug, Clone)]
pub(crate) enum Access {
    Embedded,
    Kind,
    Existing { context: Option<String> },
}

/// One process of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentStatus {
    /// Such as `kube-apiserver`.
    pub name: String,
    /// Its process number, when it was started.
    pub pid: i32,
    /// Whether that very process still runs.
    pub running: bool,
    /// Processor time since its start.
    pub cpu: Duration,
    /// Where it answers, for people.
    pub endpoint: String,
    /// What it writes.
    pub log: PathBuf,
}

impl Cluster {
    pub(crate) fn new(folder: Folder, access: Access) -> Self {
        Self { folder, access }
    }

    /// A cluster that was started before, embedded or kind, running or not.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn open(name: &str) -> Result<Self> {
        let folder = Folder::new(&Cache::from_env()?, name)?;
        let access = match folder.load()? {
            Some(_) => Access::Embedded,
            None if kind::marker(&folder).exists() => Access::Kind,
            None => bail!("there is no cluster {name:?}: start it first"),
        };
        Ok(Self { folder, access })
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.folder.name
    }

    /// The folder with its data, logs and credentials.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.folder.path
    }

    /// The administrator's kubeconfig; none for an existing cluster, which the user's own configuration names.
    #[must_use]
    pub fn kubeconfig_file(&self) -> Option<PathBuf> {
        match self.access {
            Access::Existing { .. } => None,
            _ => Some(self.folder.kubeconfig()),
        }
    }

    /// The context of the user's own configuration, where the cluster is an existing one and one was named.
    #[must_use]
    pub fn context(&self) -> Option<&str> {
        match &self.access {
            Access::Existing { context } => context.as_deref(),
            _ => None,
        }
    }

    /// A client with an administrator's rights.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read. Nothing is sent yet.
    pub async fn client(&self) -> Result<kube::Client> {
        kubeconfig::client(self.kubeconfig_file().as_ref(), self.context()).await
    }

    /// Where the embedded API server records the requests of the platform's own controllers (service accounts
    /// of the namespace `idp-system`): one JSON event a line, written before the answer is sent.
    #[must_use]
    pub fn audit_log(&self) -> PathBuf {
        self.folder.audit_log()
    }

    /// The real node's name, which only a cluster with such a node has.
    ///
    /// # Errors
    /// When the cluster's state cannot be read.
    pub fn real_node(&self) -> Result<Option<String>> {
        Ok(self
            .state()?
            .filter(|state| state.real_node)
            .map(|_| node::name(self.name())))
    }

    /// The address on which processes of this machine can be reached by the pods of the real node, and on which
    /// the API server listens. A controller that serves pods or webhooks should listen there.
    ///
    /// # Errors
    /// When the cluster's state cannot be read.
    pub fn host_address(&self) -> Result<Option<std::net::Ipv4Addr>> {
        Ok(self
            .state()?
            .filter(|state| state.real_node)
            .map(|state| state.index.host_ip()))
    }

    /// `kubectl` of the cluster's own version, with the cluster's kubeconfig set: add arguments and run it.
    ///
    /// # Errors
    /// When the cluster is not an embedded one.
    pub fn kubectl(&self) -> Result<std::process::Command> {
        let program = self.state()?.and_then(|state| state.program);
        let mut command =
            std::process::Command::new(program.context("only an embedded cluster brings kubectl")?);
        command.arg("kubectl").env("KUBECONFIG", self.folder.kubeconfig());
        Ok(command)
    }

    /// Where a component answers, such as `http://127.0.0.1:21008` for `localstack`; none when the cluster has no such
    /// component, or its state cannot be read.
    #[must_use]
    pub fn endpoint(&self, component: &str) -> Option<String> {
        let state = self.state().ok()??;
        state.find(component).map(|recorded| recorded.endpoint.clone())
    }

    /// The program of a component of the embedded cluster, such as `external-secrets`.
    pub fn program(&self, component: &str) -> Option<PathBuf> {
        let state = self.state().ok()??;
        Some(state.find(component)?.daemon.as_ref()?.program.clone())
    }

    pub(crate) fn state(&self) -> Result<Option<State>> {
        match self.access {
            Access::Embedded => self.folder.load(),
            _ => Ok(None),
        }
    }

    pub(crate) fn kind_name(&self) -> Option<&str> {
        matches!(self.access, Access::Kind).then_some(&self.folder.name)
    }
}

/// The parts of an embedded cluster, in the order of their start; none when it was never started, or is down.
///
/// # Errors
/// When the name is not a valid one, or the state cannot be read.
pub fn status(name: &str) -> Result<Vec<ComponentStatus>> {
    let folder = Folder::new(&Cache::from_env()?, name)?;
    let processes = folder.load()?.map(|state| state.processes).unwrap_or_default();
    let component = |recorded: Recorded| ComponentStatus {
        pid: recorded.process.pid,
        running: recorded.process.alive(),
        cpu: recorded.process.cpu(),
        log: folder.log(&recorded.name),
        endpoint: recorded.endpoint,
        name: recorded.name,
    };
    Ok(processes.into_iter().map(component).collect())
}

/// The add-ons that an embedded cluster has once `more` are started too: what it was given it keeps.
///
/// # Errors
/// When they cannot be together, the name is not a valid one, or the state cannot be read.
pub fn addons(name: &str, more: &[Addon]) -> Result<Vec<Addon>> {
    let folder = Folder::new(&Cache::from_env()?, name)?;
    let present = folder.load()?.map(|state| state.addons).unwrap_or_default();
    addon::merged(&present, more)
}

/// The names of all embedded clusters, running or not.
///
/// # Errors
/// When there is no place for the cache.
pub fn list() -> Result<Vec<String>> {
    names(&Cache::from_env()?)
}

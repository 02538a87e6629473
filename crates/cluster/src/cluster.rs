//! A cluster, its kubeconfig, and the status of its components.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::embedded::state::{Folder, Recorded, State, names};
use crate::embedded::{kubeconfig, node};
use crate::kind;
use crate::peers::addon::{self, Addon};

/// A cluster: embedded, kind, or an existing one.
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

/// A process of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentStatus {
    /// Such as `kube-apiserver`.
    pub name: String,
    /// Its process ID.
    pub pid: i32,
    /// Whether this process still runs; a later process with the same ID does not count.
    pub running: bool,
    /// Processor time since its start.
    pub cpu: Duration,
    /// Where it listens, for people to read.
    pub endpoint: String,
    /// Its log file.
    pub log: PathBuf,
}

impl Cluster {
    pub(crate) fn new(folder: Folder, access: Access) -> Self {
        Self { folder, access }
    }

    /// Opens an embedded or kind cluster that was started before, running or not.
    ///
    /// # Errors
    /// When no cluster has this name.
    pub fn open(name: &str) -> Result<Self> {
        let folder = Folder::new(&Cache::from_env()?, name)?;
        let access = match folder.load()? {
            Some(_) => Access::Embedded,
            None if kind::marker(&folder).exists() => Access::Kind,
            None => bail!("No cluster is named {name:?}. Start it first: idp-cli --cluster {name} up"),
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

    /// The administrator's kubeconfig. `None` for an existing cluster: the user's own kubeconfig has it.
    #[must_use]
    pub fn kubeconfig_file(&self) -> Option<PathBuf> {
        match self.access {
            Access::Existing { .. } => None,
            _ => Some(self.folder.kubeconfig()),
        }
    }

    /// The context in the user's kubeconfig, if the cluster is an existing one and the caller named a context.
    #[must_use]
    pub fn context(&self) -> Option<&str> {
        match &self.access {
            Access::Existing { context } => context.as_deref(),
            _ => None,
        }
    }

    /// A client with administrator rights.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read. Sends no request.
    pub async fn client(&self) -> Result<kube::Client> {
        kubeconfig::client(self.kubeconfig_file().as_ref(), self.context()).await
    }

    /// The audit log of the embedded API server. It records requests by the platform's controllers (service accounts
    /// of the namespace `idp-system`), one JSON event per line, before the response is sent.
    #[must_use]
    pub fn audit_log(&self) -> PathBuf {
        self.folder.audit_log()
    }

    /// The real node's name, if the cluster has a real node.
    ///
    /// # Errors
    /// When the cluster's state cannot be read.
    pub fn real_node(&self) -> Result<Option<String>> {
        Ok(self
            .state()?
            .filter(|state| state.real_node)
            .map(|_| node::name(self.name())))
    }

    /// The host's address as pods of the real node reach it; the API server listens on it too. A controller that serves
    /// pods or webhooks should listen on this address.
    ///
    /// # Errors
    /// When the cluster's state cannot be read.
    pub fn host_address(&self) -> Result<Option<std::net::Ipv4Addr>> {
        Ok(self
            .state()?
            .filter(|state| state.real_node)
            .map(|state| state.index.host_ip()))
    }

    /// A `kubectl` command of the cluster's version, with the cluster's kubeconfig. Add arguments and run it.
    ///
    /// # Errors
    /// When the cluster is not embedded.
    pub fn kubectl(&self) -> Result<std::process::Command> {
        let program = self.state()?.and_then(|state| state.program);
        let mut command = std::process::Command::new(
            program.context("Only an embedded cluster includes kubectl. Run your own kubectl instead.")?,
        );
        command.arg("kubectl").env("KUBECONFIG", self.folder.kubeconfig());
        Ok(command)
    }

    /// The address of a component, such as `http://127.0.0.1:21008` for `localstack`. `None` if the cluster has no such
    /// component, or its state cannot be read.
    #[must_use]
    pub fn endpoint(&self, component: &str) -> Option<String> {
        let state = self.state().ok()??;
        state.find(component).map(|recorded| recorded.endpoint.clone())
    }

    /// The program of an embedded cluster's component, such as `external-secrets`.
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

/// The components of an embedded cluster, in start order. Empty if it was never started, or is down.
///
/// # Errors
/// When the name is invalid, or the state cannot be read.
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

/// The add-ons that an embedded cluster will have after starting `more`: it keeps those that it already has.
///
/// # Errors
/// When the name is invalid, or the state cannot be read.
pub fn addons(name: &str, more: &[Addon]) -> Result<Vec<Addon>> {
    let folder = Folder::new(&Cache::from_env()?, name)?;
    let present = folder.load()?.map(|state| state.addons).unwrap_or_default();
    Ok(addon::merged(&present, more))
}

/// The names of all embedded clusters, running or not.
///
/// # Errors
/// When the cache folder cannot be located.
pub fn list() -> Result<Vec<String>> {
    names(&Cache::from_env()?)
}

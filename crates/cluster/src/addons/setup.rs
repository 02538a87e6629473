//! Programs, ports, identities and processes of add-ons during their start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::Cluster;
use crate::build::go::GoModule;
use crate::controllers::service_account::controller_kubeconfig;
use crate::embedded::addresses::Chooser;
use crate::embedded::state::{Folder, State};
use crate::manifests::apply::apply_objects;
use crate::manifests::parse::Sourced;
use crate::process::daemon::{Daemon, wait_ready};
use crate::process::identity::{Identity, stop};
use crate::process::{go, http};

/// How long an add-on may take to become ready.
const LIMIT: Duration = Duration::from_secs(120);

/// How long a replaced process has to stop before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// The built programs of the add-ons.
#[derive(Default)]
pub(crate) struct Built {
    pub(super) folders: BTreeMap<&'static str, PathBuf>,
    /// The Python of LocalStack's virtual environment.
    pub(super) python: Option<PathBuf>,
}

/// Waits until a daemon is healthy, if it has a health check.
pub(crate) async fn wait_healthy(folder: &Folder, daemon: &Daemon, process: &Identity) -> Result<()> {
    let Some(health) = &daemon.health else {
        return Ok(());
    };
    let log = folder.log(&daemon.name);
    wait_ready(&daemon.name, process, &log, LIMIT, || http::is_healthy(health)).await
}

/// Shared state of the start of all add-ons.
pub(super) struct Setup<'a> {
    pub(super) folder: &'a Folder,
    pub(super) state: &'a mut State,
    pub(super) built: &'a Built,
    pub(super) cluster: Cluster,
    pub(super) client: kube::Client,
    pub(super) ports: Chooser<fn(u16) -> bool>,
    /// Daemons that must be healthy in the end.
    pub(super) waiting: Vec<(Daemon, Identity)>,
}

impl Setup<'_> {
    /// Whether it runs. If so, the start waits for it too.
    pub(super) fn runs(&mut self, name: &str) -> bool {
        let found = self.state.find(name).filter(|recorded| recorded.process.alive());
        if let Some(recorded) = found
            && let Some(daemon) = &recorded.daemon
        {
            self.waiting.push((daemon.clone(), recorded.process.clone()));
        }
        found.is_some()
    }

    /// Starts a daemon unless it runs.
    pub(super) fn run(&mut self, mut daemon: Daemon) -> Result<()> {
        // Also for LocalStack, which ignores them.
        daemon.env.extend(go::variables());
        let process = self.folder.ensure(self.state, &daemon, true)?;
        self.waiting.push((daemon, process));
        Ok(())
    }

    /// Stops a daemon, to start it with other arguments.
    pub(super) async fn stop(&self, name: &str) {
        if let Some(recorded) = self.state.find(name) {
            stop(std::slice::from_ref(&recorded.process), GRACE).await;
        }
    }

    pub(super) fn program(&self, module: &GoModule) -> Result<PathBuf> {
        let folder = self.built.folders.get(module.name);
        Ok(module.program(folder.with_context(|| format!("{} is not built.", module.name))?))
    }

    /// A kubeconfig of the service account `name`, bound to cluster-admin.
    pub(super) async fn administrator(&self, name: &str, namespace: &str) -> Result<String> {
        let kubeconfig = controller_kubeconfig(&self.cluster, name, namespace).await?;
        // A peer's own roles are in its chart, which its Go module does not always contain. Tests check the rights of the
        // platform's controllers, not the peers'.
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": { "name": format!("idp-addon-{name}") },
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin",
            },
            "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": namespace }],
        });
        self.apply([binding]).await?;
        Ok(kubeconfig.display().to_string())
    }

    pub(super) async fn apply<const N: usize>(&self, objects: [Value; N]) -> Result<()> {
        let sourced = objects.map(|object| Sourced {
            source: "add-on".to_owned(),
            object,
        });
        apply_objects(&self.client, sourced.into()).await
    }
}

/// An environment variable of a daemon.
pub(super) fn var(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

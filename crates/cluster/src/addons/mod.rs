//! Starting the peers that run beside a cluster.
//!
//! Each gets an identity and a namespace of its own, as it would have in a real installation, ports of the cluster's
//! block, and a log among the cluster's logs. Their webhooks are off: nobody could reach them.

mod cert_manager;
mod crossplane;
mod external_secrets;
mod function;
pub(crate) mod localstack;
pub(crate) mod secrets_manager;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::Cluster;
use crate::build::go::GoModule;
use crate::cache::Cache;
use crate::cluster::Access;
use crate::controllers::service_account::controller_kubeconfig;
use crate::embedded::addresses::Chooser;
use crate::embedded::state::{Folder, State};
use crate::manifests::apply::apply_objects;
use crate::manifests::parse::Sourced;
use crate::peers::addon::Addon;
use crate::process::daemon::{Daemon, wait_ready};
use crate::process::identity::{Identity, stop};
use crate::process::{go, http};
use crate::progress::Progress;

/// How long a peer may take to become ready.
const LIMIT: Duration = Duration::from_secs(120);

/// How long a replaced process has to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// Places in the cluster's block of ports; the control plane has those below.
mod ports {
    pub(super) const EXTERNAL_SECRETS_HEALTH: u16 = 6;
    pub(super) const EXTERNAL_SECRETS_METRICS: u16 = 7;
    pub(super) const LOCALSTACK: u16 = 8;
    pub(super) const CERT_MANAGER: u16 = 9;
    pub(super) const CROSSPLANE_HEALTH: u16 = 10;
    pub(super) const CROSSPLANE_METRICS: u16 = 11;
    pub(super) const FUNCTION: u16 = 12;
}

/// The add-ons' programs.
#[derive(Default)]
pub(crate) struct Built {
    folders: BTreeMap<&'static str, PathBuf>,
    /// The Python that has LocalStack.
    python: Option<PathBuf>,
}

/// Builds and installs what is missing, one thing after the other.
pub(crate) async fn build(cache: &Cache, addons: &[Addon], progress: &dyn Progress) -> Result<Built> {
    let mut built = Built::default();
    for addon in addons {
        if *addon == Addon::LocalStack {
            built.python = Some(localstack::install(cache, progress).await?);
        }
        for module in addon.modules() {
            built
                .folders
                .insert(module.name, module.ensure(cache, progress).await?);
        }
    }
    Ok(built)
}

/// Starts the add-ons that the state names and that do not run, and waits until all are ready.
pub(crate) async fn start(folder: &Folder, state: &mut State, built: &Built) -> Result<()> {
    let cluster = Cluster::new(folder.clone(), Access::Embedded);
    let mut setup = Setup {
        client: cluster.client().await?,
        ports: Chooser::on_loopback(state.index),
        waiting: vec![],
        cluster,
        folder,
        built,
        state,
    };
    for addon in setup.state.addons.clone() {
        match addon {
            Addon::LocalStack => localstack::start(&mut setup).await,
            Addon::ExternalSecrets => external_secrets::start(&mut setup).await,
            Addon::CertManager => cert_manager::start(&mut setup).await,
            Addon::Crossplane { generation } => crossplane::start(&mut setup, generation).await,
        }
        .with_context(|| format!("starting the add-on {addon}"))?;
    }
    // Only now, so that they get ready beside each other.
    for (daemon, process) in &setup.waiting {
        wait_well(folder, daemon, process).await?;
    }
    localstack::seed_if_new(folder, setup.state).await
}

/// Waits until a daemon answers where it says how it is.
pub(crate) async fn wait_well(folder: &Folder, daemon: &Daemon, process: &Identity) -> Result<()> {
    let Some(health) = &daemon.health else {
        return Ok(());
    };
    let log = folder.log(&daemon.name);
    wait_ready(&daemon.name, process, &log, LIMIT, || http::is_well(health)).await
}

/// What an add-on needs to be started.
struct Setup<'a> {
    folder: &'a Folder,
    state: &'a mut State,
    built: &'a Built,
    cluster: Cluster,
    client: kube::Client,
    ports: Chooser<fn(u16) -> bool>,
    /// What was started, or ran already, and must be ready in the end.
    waiting: Vec<(Daemon, Identity)>,
}

impl Setup<'_> {
    /// Whether it runs already; then it is waited for, too.
    fn runs(&mut self, name: &str) -> bool {
        let found = self.state.find(name).filter(|recorded| recorded.process.alive());
        if let Some(recorded) = found
            && let Some(daemon) = &recorded.daemon
        {
            self.waiting.push((daemon.clone(), recorded.process.clone()));
        }
        found.is_some()
    }

    /// Starts a daemon that does not run.
    fn run(&mut self, mut daemon: Daemon) -> Result<()> {
        // Also LocalStack, which does not read them.
        daemon.env.extend(go::variables());
        let process = self.folder.ensure(self.state, &daemon, true)?;
        self.waiting.push((daemon, process));
        Ok(())
    }

    /// Stops one that is to be started in another way.
    async fn stop(&self, name: &str) {
        if let Some(recorded) = self.state.find(name) {
            stop(std::slice::from_ref(&recorded.process), GRACE).await;
        }
    }

    fn program(&self, module: &GoModule) -> Result<PathBuf> {
        let folder = self.built.folders.get(module.name);
        Ok(module.program(folder.with_context(|| format!("{} is not built", module.name))?))
    }

    /// A kubeconfig of the service account `name`, which may do everything.
    async fn administrator(&self, name: &str, namespace: &str) -> Result<String> {
        let kubeconfig = controller_kubeconfig(&self.cluster, name, namespace).await?;
        // The roles that a peer needs are in its chart, which its Go module does not always hold. This cluster is of
        // one machine and one person; what is tested is our controllers' rights, not the peers'.
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

    async fn apply<const N: usize>(&self, objects: [Value; N]) -> Result<()> {
        let sourced = objects.map(|object| Sourced {
            source: "add-on".to_owned(),
            object,
        });
        apply_objects(&self.client, sourced.into()).await
    }
}

/// A variable of a daemon.
fn var(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

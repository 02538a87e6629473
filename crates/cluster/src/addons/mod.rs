//! Starting the peers that run beside a cluster.
//!
//! Each has its own service account and namespace, as in a real installation, ports of the cluster's block, and a log
//! among the cluster's logs. Their webhooks are off, as the API server could not reach them.

mod cert_manager;
mod crossplane;
mod external_secrets;
mod function;
pub(crate) mod localstack;
mod names;
mod ports;
pub(crate) mod secrets_manager;
mod setup;

use anyhow::{Context, Result};

use setup::Setup;
pub(crate) use setup::{Built, wait_healthy};

use crate::Cluster;
use crate::cache::Cache;
use crate::cluster::Access;
use crate::embedded::addresses::Chooser;
use crate::embedded::state::{Folder, State};
use crate::peers::addon::Addon;
use crate::progress::Progress;

/// Builds and installs missing programs, one at a time.
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

/// Starts the state's add-ons that do not run, and waits until all are healthy.
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
            Addon::Crossplane => crossplane::start(&mut setup).await,
        }
        .with_context(|| format!("starting the add-on {addon}"))?;
    }
    // Only now, so that they become ready in parallel.
    for (daemon, process) in &setup.waiting {
        wait_healthy(folder, daemon, process).await?;
    }
    localstack::seed_if_new(folder, setup.state).await
}

//! Stopping and starting single components of a cluster: tests use it to simulate outages.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::Cluster;
use crate::addons::{localstack, wait_healthy};
use crate::process::identity::stop;

/// How long a component has to stop before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// Stops a component of an embedded cluster, by the name that `status` shows. It stays listed as ended until
/// [`start_component`] or the next [`crate::up`] starts it again. That can be the `up` of another test that shares the
/// cluster, so a test of a longer outage needs its own cluster. Does nothing if the component does not run.
///
/// # Errors
/// When the cluster is not embedded, or has no component of this name.
pub async fn stop_component(cluster: &Cluster, name: &str) -> Result<()> {
    let _lock = cluster.folder().lock().await?;
    let state = cluster
        .state()?
        .context("Only an embedded cluster has components.")?;
    let recorded = state
        .find(name)
        .with_context(|| format!("The cluster has no component {name}. List them: idp-cli status"))?;
    stop(std::slice::from_ref(&recorded.process), GRACE).await;
    Ok(())
}

/// Starts a stopped component with its previous arguments, and waits until it is healthy if it has a health check.
/// LocalStack gets the sample's secrets again. Does nothing if the component runs.
///
/// # Errors
/// When the cluster is not embedded, has no component of this name, or the component does not become ready.
pub async fn start_component(cluster: &Cluster, name: &str) -> Result<()> {
    let folder = cluster.folder();
    let _lock = folder.lock().await?;
    let mut state = cluster
        .state()?
        .context("Only an embedded cluster has components.")?;
    let recorded = state
        .find(name)
        .with_context(|| format!("The cluster has no component {name}. List them: idp-cli status"))?;
    let companion = recorded.companion;
    let daemon = recorded
        .daemon
        .clone()
        .with_context(|| format!("The arguments of {name} were not recorded. Start it with: idp-cli up"))?;
    let process = folder.ensure(&mut state, &daemon, companion)?;
    wait_healthy(folder, &daemon, &process).await?;
    localstack::seed_if_new(folder, &mut state).await
}

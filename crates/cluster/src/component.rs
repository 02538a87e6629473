//! Stopping and starting single processes of a cluster: for tests of what happens when one is missing.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::Cluster;
use crate::addons::{localstack, wait_well};
use crate::process::identity::stop;

/// How long a component has to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// Stops one process of an embedded cluster, by the name that `status` shows. It stays listed, as ended; the next
/// [`crate::up`], or [`start_component`], starts it again: also the `up` of another test that shares the cluster, so that
/// a test of a longer outage has a cluster of its own. One that does not run is no error.
///
/// # Errors
/// When the cluster is not an embedded one, or has no component of this name.
pub async fn stop_component(cluster: &Cluster, name: &str) -> Result<()> {
    let _lock = cluster.folder().lock().await?;
    let state = cluster
        .state()?
        .context("only an embedded cluster has components")?;
    let recorded = state
        .find(name)
        .with_context(|| format!("the cluster has no component {name}"))?;
    stop(std::slice::from_ref(&recorded.process), GRACE).await;
    Ok(())
}

/// Starts a component again that has ended, as it was started before, and waits until it is ready where it tells.
/// LocalStack gets the sample's secrets again. One that runs is no error.
///
/// # Errors
/// When the cluster is not an embedded one, has no component of this name, or it does not get ready.
pub async fn start_component(cluster: &Cluster, name: &str) -> Result<()> {
    let folder = cluster.folder();
    let _lock = folder.lock().await?;
    let mut state = cluster
        .state()?
        .context("only an embedded cluster has components")?;
    let recorded = state
        .find(name)
        .with_context(|| format!("the cluster has no component {name}"))?;
    let companion = recorded.companion;
    let daemon = recorded
        .daemon
        .clone()
        .with_context(|| format!("it was not recorded how {name} was started: `up` starts it"))?;
    let process = folder.ensure(&mut state, &daemon, companion)?;
    wait_well(folder, &daemon, &process).await?;
    localstack::seed_if_new(folder, &mut state).await
}

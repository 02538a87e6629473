//! Controllers that run beside a cluster: they are listed by `status`, and end with the cluster.

use std::path::Path;

use anyhow::{Context, Result};

use crate::Cluster;
use crate::daemon::Daemon;
use crate::identity::controller_kubeconfig;
use crate::process::{Identity, stop};

/// How long a replaced process has to end by itself.
const GRACE: std::time::Duration = std::time::Duration::from_secs(30);

/// Starts `program` beside the cluster, in place of what ran under this name before. Its output goes to the cluster's
/// log of that name.
///
/// # Errors
/// When the cluster is not an embedded one that runs, or the program cannot be started.
async fn start_companion(
    cluster: &Cluster,
    name: &'static str,
    program: &Path,
    args: Vec<String>,
    endpoint: String,
) -> Result<()> {
    let folder = cluster.folder();
    let _lock = folder.lock().await?;
    let mut state = folder
        .load()?
        .context("only an embedded cluster has companions")?;
    let (old, kept): (Vec<_>, Vec<_>) = state
        .processes
        .into_iter()
        .partition(|recorded| recorded.name == name);
    let old: Vec<Identity> = old.into_iter().map(|recorded| recorded.process).collect();
    stop(&old, GRACE).await;
    state.processes = kept;
    let daemon = Daemon {
        name: name.to_owned(),
        program: program.to_owned(),
        args,
        env: vec![],
        netns: None,
        uses_proxy: false,
        endpoint,
        health: None,
    };
    folder.ensure(&mut state, &daemon, true).map(|_| ())
}

/// Namespace of the platform's controllers' identities.
const CONTROLLERS: &str = "idp-system";

/// Starts the controller `name` beside the cluster, with that controller's identity and rights and no others. Its
/// health and metrics are on a free port of loopback.
///
/// # Errors
/// When its identity cannot be made, or it cannot be started.
pub async fn start_controller(cluster: &Cluster, name: &'static str, program: &Path) -> Result<()> {
    let kubeconfig = controller_kubeconfig(cluster, name, CONTROLLERS).await?;
    let port = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let args = vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--health-address=127.0.0.1:{port}"),
    ];
    start_companion(
        cluster,
        name,
        program,
        args,
        format!("http://127.0.0.1:{port}/metrics"),
    )
    .await
}

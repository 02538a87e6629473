//! Starting controllers beside a cluster. `status` lists them, and `down` stops them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::Cluster;
use crate::controllers::service_account::controller_kubeconfig;
use crate::process::daemon::Daemon;
use crate::process::identity::{Identity, stop};

/// How long a replaced process has to stop before it is killed.
const GRACE: std::time::Duration = std::time::Duration::from_secs(30);

/// Starts `program` beside the cluster, replacing a process of the same name. Its output goes to the cluster's log of
/// that name.
///
/// # Errors
/// When the cluster is not a running embedded one, or the program cannot be started.
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
        .context("Only an embedded cluster can run controllers beside it.")?;
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

/// Namespace of the platform's controllers.
const CONTROLLERS: &str = "idp-system";

/// A controller of the platform.
#[derive(Debug, Clone)]
pub struct Controller {
    /// Its name, and that of its service account.
    pub name: &'static str,
    /// Its program.
    pub program: PathBuf,
    /// The capability that it serves, if any.
    pub capability: Option<&'static str>,
}

/// Starts controllers beside the cluster, each with its own service account and rights. Health, metrics and gRPC use
/// free loopback ports. Controllers without a capability get the addresses of those with one.
///
/// # Errors
/// When a service account cannot be created, or a controller cannot be started.
pub async fn start_controllers(cluster: &Cluster, controllers: &[Controller]) -> Result<()> {
    let mut capabilities = Vec::new();
    for controller in controllers {
        if let Some(capability) = controller.capability {
            let port = free_port()?;
            start(cluster, controller, port, &[]).await?;
            capabilities.push(format!(
                "--capability={capability}={}@127.0.0.1:{port}",
                controller.name
            ));
        }
    }
    for controller in controllers {
        if controller.capability.is_none() {
            start(cluster, controller, free_port()?, &capabilities).await?;
        }
    }
    Ok(())
}

async fn start(cluster: &Cluster, controller: &Controller, grpc: u16, more: &[String]) -> Result<()> {
    let kubeconfig = controller_kubeconfig(cluster, controller.name, CONTROLLERS).await?;
    let certificates = controller_certificates(cluster, controller.name)?;
    let port = free_port()?;
    let mut args = vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--health-address=127.0.0.1:{port}"),
        format!("--grpc-address=127.0.0.1:{grpc}"),
        format!("--tls-dir={}", certificates.display()),
    ];
    args.extend_from_slice(more);
    let endpoint = format!("http://127.0.0.1:{port}/metrics");
    start_companion(cluster, controller.name, &controller.program, args, endpoint).await
}

/// The folder with the gRPC certificates of the controller `name` of this cluster.
///
/// # Errors
/// When the certificates cannot be written.
pub fn controller_certificates(cluster: &Cluster, name: &str) -> Result<PathBuf> {
    crate::embedded::certs::controller(cluster.folder(), CONTROLLERS, name)
}

fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

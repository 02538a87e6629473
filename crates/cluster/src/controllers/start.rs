//! Controllers that run beside a cluster: they are listed by `status`, and end with the cluster.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::Cluster;
use crate::controllers::service_account::controller_kubeconfig;
use crate::process::daemon::Daemon;
use crate::process::identity::{Identity, stop};

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

/// A controller of the platform.
#[derive(Debug, Clone)]
pub struct Controller {
    /// Its name: that of its service account too.
    pub name: &'static str,
    /// The program.
    pub program: PathBuf,
    /// Name of the capability that it serves, if any.
    pub capability: Option<&'static str>,
}

/// Starts controllers beside the cluster, each with its own identity and rights and no others. Health, metrics and gRPC
/// are on free ports of loopback; those that serve no capability are told where the others do.
///
/// # Errors
/// When an identity cannot be made, or one cannot be started.
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

/// The folder with the certificates by which the controller `name` of this cluster knows the others, and is known to
/// them.
///
/// # Errors
/// When it cannot be written.
pub fn controller_certificates(cluster: &Cluster, name: &str) -> Result<PathBuf> {
    crate::embedded::certs::controller(cluster.folder(), CONTROLLERS, name)
}

fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

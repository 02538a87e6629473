//! Running `idp-cli` as a user does.

use std::process::Stdio;

use anyhow::{Context, Result};
use idp_cluster::Cluster;
use tokio::{io::AsyncWriteExt, process::Command};

use crate::program;

/// The result of a command.
#[derive(Debug)]
pub struct Said {
    /// Whether it succeeded.
    pub well: bool,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

/// Runs `idp-cli` against a cluster with administrator rights, and `input` as its standard input.
///
/// # Errors
/// When it cannot be started.
pub async fn idp_cli(cluster: &Cluster, args: &[&str], input: &str) -> Result<Said> {
    let kubeconfig = cluster
        .kubeconfig_file()
        .context("The cluster has no kubeconfig.")?;
    let mut child = Command::new(program("idp-cli"))
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // Closed by the drop, so that the command sees its end.
    child
        .stdin
        .take()
        .context("The command has no standard input.")?
        .write_all(input.as_bytes())
        .await?;
    let outcome = child.wait_with_output().await?;
    Ok(Said {
        well: outcome.status.success(),
        output: String::from_utf8(outcome.stdout)?,
        errors: String::from_utf8(outcome.stderr)?,
    })
}

//! The command line, as a user runs it.

use std::process::Stdio;

use anyhow::{Context, Result};
use idp_cluster::Cluster;
use tokio::{io::AsyncWriteExt, process::Command};

use crate::program;

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Whether it ended well.
    pub well: bool,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

/// Runs `idp-cli` against a cluster, with an administrator's rights and this standard input.
///
/// # Errors
/// When it cannot be run.
pub async fn idp_cli(cluster: &Cluster, args: &[&str], input: &str) -> Result<Said> {
    let kubeconfig = cluster.kubeconfig_file().context("an embedded cluster")?;
    let mut child = Command::new(program("idp-cli"))
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // Dropped at the end: it has read all then.
    child
        .stdin
        .take()
        .context("no standard input")?
        .write_all(input.as_bytes())
        .await?;
    let outcome = child.wait_with_output().await?;
    Ok(Said {
        well: outcome.status.success(),
        output: String::from_utf8(outcome.stdout)?,
        errors: String::from_utf8(outcome.stderr)?,
    })
}

//! Which cluster a command uses.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use idp_cluster::Cluster;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// Selects the cluster.
#[derive(Args)]
pub(crate) struct ConnectArgs {
    /// Name of the local cluster.
    #[arg(long, global = true, default_value = idp_cluster::DEFAULT_NAME, env = "IDP_CLUSTER", value_name = "NAME")]
    pub(crate) cluster: String,
    /// Kubeconfig to use. Default: the local cluster's if it runs, else as kubectl does.
    #[arg(long, global = true, env = "IDP_KUBECONFIG", value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig to use.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
}

impl ConnectArgs {
    /// A client for the selected cluster: the one named by `--kubeconfig` or `--context`, else the local cluster if it
    /// runs, else the one that kubectl would use.
    pub(crate) async fn client(&self) -> Result<Client> {
        let explicit = self.kubeconfig.is_some() || self.context.is_some();
        let local = idp_cluster::status(&self.cluster).unwrap_or_default();
        if !explicit && local.iter().any(|component| component.running) {
            return Cluster::open(&self.cluster)?.client().await;
        }
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let config = match &self.kubeconfig {
            Some(file) => {
                let kubeconfig = Kubeconfig::read_from(file)
                    .with_context(|| format!("{} is not a valid kubeconfig", file.display()))?;
                Config::from_custom_kubeconfig(kubeconfig, &options).await?
            }
            None if self.context.is_some() => Config::from_kubeconfig(&options).await?,
            None => Config::infer()
                .await
                .context("no cluster found: start one with `idp-cli up`, or select one with --kubeconfig")?,
        };
        Ok(Client::try_from(config)?)
    }
}

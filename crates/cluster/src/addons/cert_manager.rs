//! cert-manager, without its approver.

use anyhow::Result;

use super::ports;
use super::setup::Setup;
use crate::build::modules::CERT_MANAGER;
use crate::process::daemon::Daemon;

const NAME: &str = "cert-manager";
/// Also the namespace of ClusterIssuers' Secrets.
const NAMESPACE: &str = "cert-manager";

pub(super) async fn start(setup: &mut Setup<'_>) -> Result<()> {
    if setup.runs(NAME) {
        return Ok(());
    }
    let kubeconfig = setup.administrator(NAME, NAMESPACE).await?;
    let metrics = format!("127.0.0.1:{}", setup.ports.port(ports::CERT_MANAGER)?);
    setup.run(Daemon {
        name: NAME.to_owned(),
        program: setup.program(&CERT_MANAGER)?,
        args: vec![
            format!("--kubeconfig={kubeconfig}"),
            format!("--cluster-resource-namespace={NAMESPACE}"),
            format!("--metrics-listen-address={metrics}"),
            // Its default of 20 a second is two certificates a second, for which tests would wait.
            "--kube-api-qps=200".to_owned(),
            "--kube-api-burst=400".to_owned(),
        ],
        env: vec![],
        netns: None,
        uses_proxy: false,
        endpoint: format!("http://{metrics}/metrics"),
        health: Some(format!("http://{metrics}/metrics")),
    })
}

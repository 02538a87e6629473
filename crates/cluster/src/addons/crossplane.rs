//! Crossplane 2: the controllers of composite resources and claims.

use anyhow::Result;

use super::setup::Setup;
use super::{function, ports};
use crate::build::modules::CROSSPLANE;
use crate::embedded::certs;
use crate::process::daemon::Daemon;

const NAME: &str = "crossplane";
const NAMESPACE: &str = "crossplane-system";

pub(super) async fn start(setup: &mut Setup<'_>) -> Result<()> {
    let certs = certs::ensure_crossplane(setup.folder)?.display().to_string();
    function::start(setup, &certs).await?;
    if setup.runs(NAME) {
        return Ok(());
    }
    let kubeconfig = setup.administrator(NAME, NAMESPACE).await?;
    let health = format!("127.0.0.1:{}", setup.ports.port(ports::CROSSPLANE_HEALTH)?);
    let metrics = format!("127.0.0.1:{}", setup.ports.port(ports::CROSSPLANE_METRICS)?);
    setup.run(Daemon {
        name: NAME.to_owned(),
        program: setup.program(&CROSSPLANE)?,
        args: vec![
            format!("--kubeconfig={kubeconfig}"),
            format!("--namespace={NAMESPACE}"),
            format!("--service-account={NAME}"),
            format!("--tls-client-certs-dir={certs}"),
            format!("--health-probe-address={health}"),
            format!("--metrics-address={metrics}"),
        ],
        env: vec![],
        netns: None,
        uses_proxy: false,
        endpoint: format!("http://{metrics}/metrics"),
        health: Some(format!("http://{health}/readyz")),
    })
}

//! Crossplane, of either generation.

use std::fs;

use anyhow::Result;

use super::setup::{Setup, var};
use super::{function, ports};
use crate::build::modules::{CROSSPLANE, CROSSPLANE2};
use crate::embedded::certs;
use crate::peers::addon::Generation;
use crate::process::daemon::Daemon;

const NAME: &str = "crossplane";
const NAMESPACE: &str = "crossplane-system";

pub(super) async fn start(setup: &mut Setup<'_>, generation: Generation) -> Result<()> {
    let certs = certs::ensure_crossplane(setup.folder)?.display().to_string();
    function::start(setup, &certs).await?;
    if setup.runs(NAME) {
        return Ok(());
    }
    let kubeconfig = setup.administrator(NAME, NAMESPACE).await?;
    let health = setup.ports.port(ports::CROSSPLANE_HEALTH)?;
    let metrics = setup.ports.port(ports::CROSSPLANE_METRICS)?;
    let caches = setup.folder.path.join("crossplane");
    let (packages, answers) = (caches.join("packages"), caches.join("answers"));
    fs::create_dir_all(&packages)?;
    fs::create_dir_all(&answers)?;
    setup.run(Daemon {
        name: NAME.to_owned(),
        program: setup.program(match generation {
            Generation::V1 => &CROSSPLANE,
            Generation::V2 => &CROSSPLANE2,
        })?,
        args: vec![
            "core".into(),
            "start".into(),
            format!("--namespace={NAMESPACE}"),
            format!("--service-account={NAME}"),
            format!("--xpkg-cache-dir={}", packages.display()),
            format!("--xfn-cache-dir={}", answers.display()),
            "--enable-webhooks=false".into(),
            // It takes no address with them, and listens on all of the machine's.
            format!("--health-probe-port={health}"),
            format!("--metrics-port={metrics}"),
            format!("--tls-client-certs-dir={certs}"),
            format!("--tls-server-certs-dir={certs}"),
        ],
        env: vec![var("KUBECONFIG", kubeconfig)],
        netns: None,
        uses_proxy: false,
        endpoint: format!("http://127.0.0.1:{metrics}/metrics"),
        health: Some(format!("http://127.0.0.1:{health}/readyz")),
    })
}

//! The External Secrets Operator.

use anyhow::Result;

use super::names::{EXTERNAL_SECRETS_NAMESPACE as NAMESPACE, LOCALSTACK};
use super::ports;
use super::setup::{Setup, var};
use crate::build::modules::EXTERNAL_SECRETS;
use crate::embedded::state::Recorded;
use crate::process::daemon::Daemon;

const NAME: &str = "external-secrets";

pub(super) async fn start(setup: &mut Setup<'_>) -> Result<()> {
    let localstack = setup.state.find(LOCALSTACK);
    let aws = localstack.map(|recorded| recorded.endpoint.clone());
    // One that was started when LocalStack was not there yet, or listened elsewhere, asks the wrong AWS.
    let asks = |recorded: &Recorded| {
        let env = recorded.daemon.iter().flat_map(|daemon| &daemon.env);
        let mut endpoints = env.filter(|(name, _)| name == SECRETS_MANAGER);
        endpoints.next().map(|(_, endpoint)| endpoint.clone())
    };
    if setup
        .state
        .find(NAME)
        .is_some_and(|recorded| asks(recorded) != aws)
    {
        setup.stop(NAME).await;
    }
    if setup.runs(NAME) {
        return Ok(());
    }
    let kubeconfig = setup.administrator(NAME, NAMESPACE).await?;
    let health = setup.ports.port(ports::EXTERNAL_SECRETS_HEALTH)?;
    let metrics = setup.ports.port(ports::EXTERNAL_SECRETS_METRICS)?;
    let mut env = vec![
        var("KUBECONFIG", kubeconfig),
        // Or it looks for credentials where virtual machines of AWS have them, and waits.
        var("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    if let Some(endpoint) = aws {
        env.push(var(SECRETS_MANAGER, endpoint.as_str()));
        env.push(var("AWS_STS_ENDPOINT", endpoint));
    }
    setup.run(Daemon {
        name: NAME.to_owned(),
        program: setup.program(&EXTERNAL_SECRETS)?,
        args: vec![
            format!("--live-addr=127.0.0.1:{health}"),
            format!("--metrics-addr=127.0.0.1:{metrics}"),
            "--concurrent=5".into(),
            // A store that could not be reached holds up every secret until it is looked at again: by default five
            // minutes, which is long to wait for a LocalStack that was only restarted.
            "--store-requeue-interval=10s".into(),
        ],
        env,
        netns: None,
        uses_proxy: false,
        endpoint: format!("http://127.0.0.1:{metrics}/metrics"),
        health: Some(format!("http://127.0.0.1:{health}/healthz")),
    })
}

const SECRETS_MANAGER: &str = "AWS_SECRETSMANAGER_ENDPOINT";

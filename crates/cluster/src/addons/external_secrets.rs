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
    // If it was started without LocalStack, or LocalStack's address has changed, it uses the wrong AWS endpoint.
    let aws_of = |recorded: &Recorded| {
        let env = recorded.daemon.iter().flat_map(|daemon| &daemon.env);
        let mut endpoints = env.filter(|(name, _)| name == SECRETS_MANAGER);
        endpoints.next().map(|(_, endpoint)| endpoint.clone())
    };
    if setup
        .state
        .find(NAME)
        .is_some_and(|recorded| aws_of(recorded) != aws)
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
        // Otherwise it waits for credentials from the metadata service of AWS's virtual machines.
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
            // The default of 50 requests a second is for clusters that many share.
            "--client-qps=200".into(),
            "--client-burst=400".into(),
            // After a restart of LocalStack, all secrets wait for the next check of their store. The default is 5 minutes.
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

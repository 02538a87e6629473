//! LocalStack: Secrets Manager, IAM and STS on loopback, with the sample application's secrets in it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::names::{EXTERNAL_SECRETS_NAMESPACE, LOCALSTACK as NAME};
use super::ports;
use super::setup::{Setup, var};
use crate::addons::secrets_manager::SecretsManager;
use crate::build::python::Environment;
use crate::cache::Cache;
use crate::embedded::state::{Folder, State};
use crate::process::daemon::Daemon;
use crate::progress::Progress;

/// The content of Secrets Manager after each start, as the community edition does not persist it.
const SEED: &str = include_str!("../../../../infrastructure/localstack/seed.json");

/// Its packages, pinned to versions that work together.
const ENVIRONMENT: Environment = Environment {
    name: NAME,
    requirements: include_str!("../../../../infrastructure/localstack/requirements.txt"),
};

/// The Python of LocalStack's virtual environment. Installs it if needed.
pub(super) async fn install(cache: &Cache, progress: &dyn Progress) -> Result<PathBuf> {
    ENVIRONMENT.ensure(cache, progress).await
}

pub(super) async fn start(setup: &mut Setup<'_>) -> Result<()> {
    if setup.runs(NAME) {
        return Ok(());
    }
    setup.apply(credentials()).await?;
    let address = format!("127.0.0.1:{}", setup.ports.port(ports::LOCALSTACK)?);
    let files = setup.folder.path.join(NAME);
    let python = setup
        .built
        .python
        .clone()
        .context("LocalStack is not installed.")?;
    setup.run(Daemon {
        name: NAME.to_owned(),
        program: python,
        args: vec!["-m".into(), "localstack.runtime.main".into()],
        env: vec![
            var("GATEWAY_LISTEN", address.as_str()),
            // The default server always listens on all addresses.
            var("GATEWAY_SERVER", "hypercorn"),
            var("USE_SSL", "0"),
            var("SERVICES", "secretsmanager,iam,sts"),
            var("STRICT_SERVICE_LOADING", "1"),
            // Uses its own folder, even on machines that look like its container image.
            var("OVERRIDE_IN_DOCKER", "0"),
            var("FILESYSTEM_ROOT", files.display().to_string()),
            var("HOME", files.display().to_string()),
            // No requests to the internet.
            var("SKIP_SSL_CERT_DOWNLOAD", "1"),
            var("DISABLE_EVENTS", "1"),
            var("DNS_ADDRESS", "0"),
        ],
        netns: None,
        uses_proxy: false,
        endpoint: format!("http://{address}"),
        health: Some(format!("http://{address}/_localstack/health")),
    })
}

/// The AWS credentials of secret stores. LocalStack accepts any.
fn credentials() -> [Value; 2] {
    let namespace = EXTERNAL_SECRETS_NAMESPACE;
    [
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }),
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": "localstack-credentials", "namespace": namespace },
            "stringData": { "access-key-id": "test", "secret-access-key": "test" },
        }),
    ]
}

/// Adds the sample's secrets to a LocalStack that was started since the last call.
pub(crate) async fn seed_if_new(folder: &Folder, state: &mut State) -> Result<()> {
    let Some(recorded) = state.find(NAME).filter(|recorded| recorded.process.alive()) else {
        return Ok(());
    };
    if state.seeded.as_ref() == Some(&recorded.process) {
        return Ok(());
    }
    let (process, secrets) = (
        recorded.process.clone(),
        SecretsManager::at(recorded.endpoint.as_str()),
    );
    let seed: BTreeMap<String, Value> = serde_json::from_str(SEED).context("reading the seed")?;
    for (name, value) in seed {
        secrets
            .put(&name, &value)
            .await
            .with_context(|| format!("seeding LocalStack with {name}"))?;
    }
    state.seeded = Some(process);
    folder.save(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_contains_secrets_of_the_sample_only() {
        let seed: BTreeMap<String, Value> = serde_json::from_str(SEED).unwrap();
        assert!(!seed.is_empty());
        for (name, value) in seed {
            assert!(name.starts_with("sample/sample-web-app/"), "{name}");
            assert!(value.is_object(), "{name}");
        }
    }
}

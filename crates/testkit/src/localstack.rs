//! Secrets in a cluster's LocalStack.

use anyhow::{Context, Result};
use idp_cluster::SecretsManager;
use serde_json::{Value, json};

use crate::TestCluster;

/// The store that [`TestCluster::secret_store`] creates.
pub const SECRET_STORE: &str = "test-localstack";

impl TestCluster {
    /// A client of Secrets Manager in this cluster's LocalStack. Tests share it, so each uses its own names, for example
    /// starting with its namespace.
    ///
    /// # Errors
    /// When LocalStack does not run beside this cluster.
    pub fn secrets_manager(&self) -> Result<SecretsManager> {
        let endpoint = self.cluster.endpoint("localstack");
        Ok(SecretsManager::at(
            endpoint.context("LocalStack does not run beside this cluster.")?,
        ))
    }

    /// Creates a ClusterSecretStore for that LocalStack, with the credentials that `up` created. Returns its name.
    ///
    /// # Errors
    /// When the API server rejects it.
    pub async fn secret_store(&self) -> Result<&'static str> {
        let key = |key: &str| json!({ "name": "localstack-credentials", "namespace": "external-secrets", "key": key });
        self.apply(json!({
            "apiVersion": "external-secrets.io/v1",
            "kind": "ClusterSecretStore",
            "metadata": { "name": SECRET_STORE },
            "spec": { "provider": { "aws": {
                "service": "SecretsManager",
                "region": "us-east-1",
                "auth": { "secretRef": {
                    "accessKeyIDSecretRef": key("access-key-id"),
                    "secretAccessKeySecretRef": key("secret-access-key"),
                } },
            } } },
        }))
        .await?;
        Ok(SECRET_STORE)
    }

    /// Applies an object as administrator.
    ///
    /// # Errors
    /// When the API server rejects it.
    pub async fn apply(&self, object: Value) -> Result<()> {
        let manifest = idp_cluster::Manifest {
            source: "a test".to_owned(),
            text: object.to_string(),
        };
        idp_cluster::apply_manifests(&self.client, &[manifest]).await
    }
}

//! The secrets in the LocalStack of the cluster `peers`.

use anyhow::{Context, Result};
use idp_cluster::SecretsManager;
use serde_json::{Value, json};

use crate::TestCluster;

/// The store that [`TestCluster::secret_store`] makes.
pub const SECRET_STORE: &str = "test-localstack";

impl TestCluster {
    /// Secrets Manager of this cluster's LocalStack: puts, reads, deletes and lists secrets. Tests share it, so each
    /// takes names of its own, such as ones that begin with its namespace.
    ///
    /// # Errors
    /// When LocalStack does not run beside this cluster.
    pub fn secrets_manager(&self) -> Result<SecretsManager> {
        let endpoint = self.cluster.endpoint("localstack");
        Ok(SecretsManager::at(
            endpoint.context("LocalStack does not run beside this cluster")?,
        ))
    }

    /// Makes a ClusterSecretStore for that LocalStack, with the credentials that `up` has made; gives its name.
    ///
    /// # Errors
    /// When the API server refuses it.
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

    /// Applies one object as the administrator.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn apply(&self, object: Value) -> Result<()> {
        let manifest = idp_cluster::Manifest {
            source: "a test".to_owned(),
            text: object.to_string(),
        };
        idp_cluster::apply_manifests(&self.client, &[manifest]).await
    }
}

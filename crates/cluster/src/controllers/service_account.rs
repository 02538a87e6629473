//! Service accounts of controllers that run outside the cluster, and their kubeconfigs.

use std::path::PathBuf;

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use crate::Cluster;
use crate::embedded::kubeconfig;
use crate::manifests::apply::apply_objects;
use crate::manifests::parse::Sourced;

/// A year: longer than the life of a development cluster.
const LIFETIME_SECONDS: i64 = 365 * 24 * 3600;

/// Writes a kubeconfig for a service account, creating the account and its namespace if needed. Its rights come from
/// the RBAC manifests that the caller applies.
///
/// # Errors
/// When the API server rejects the request, or the file cannot be written.
pub async fn controller_kubeconfig(
    cluster: &Cluster,
    service_account: &str,
    namespace: &str,
) -> Result<PathBuf> {
    let client = cluster.client().await?;
    let source = "controller identity".to_owned();
    let objects = [
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }),
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": { "name": service_account, "namespace": namespace },
        }),
    ];
    apply_objects(
        &client,
        objects
            .map(|object| Sourced {
                source: source.clone(),
                object,
            })
            .into(),
    )
    .await?;
    let request = TokenRequest {
        spec: Some(TokenRequestSpec {
            expiration_seconds: Some(LIFETIME_SECONDS),
            ..Default::default()
        }),
        ..Default::default()
    };
    let answer = Api::<ServiceAccount>::namespaced(client, namespace)
        .create_token_request(service_account, &PostParams::default(), &request)
        .await
        .with_context(|| format!("requesting a token for {namespace}/{service_account}"))?;
    let token = answer
        .status
        .and_then(|status| status.token)
        .context("The API server returned no token.")?;
    let path = cluster
        .dir()
        .join("controllers")
        .join(format!("{service_account}.kubeconfig"));
    kubeconfig::write_token(&path, service_account, cluster_entry(cluster)?, &token)?;
    Ok(path)
}

/// The `cluster` entry of the cluster's kubeconfig: the API server's address and CA.
fn cluster_entry(cluster: &Cluster) -> Result<Value> {
    let config = match cluster.kubeconfig_file() {
        Some(path) => kube::config::Kubeconfig::read_from(path)?,
        None => kube::config::Kubeconfig::read()?,
    };
    let wanted = cluster
        .context()
        .map(str::to_owned)
        .or_else(|| config.current_context.clone());
    let context = config
        .contexts
        .iter()
        .find(|context| Some(&context.name) == wanted.as_ref());
    let name = context
        .and_then(|context| context.context.as_ref())
        .map(|context| &context.cluster);
    let entry = config.clusters.iter().find(|entry| Some(&entry.name) == name);
    let cluster = entry
        .and_then(|entry| entry.cluster.as_ref())
        .context("The kubeconfig's current context has no cluster.")?;
    Ok(serde_json::to_value(cluster)?)
}

//! Applying manifests server-side, in dependency order, with errors that name the object.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use futures::{TryStreamExt, stream};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::discovery::{Scope, pinned_kind};
use tokio::sync::Mutex;

use super::parse::{Manifest, Sourced, parse};
use super::refusal;
use super::served::{Defined, served, wait_served};

/// The field manager of applied manifests.
pub const FIELD_MANAGER: &str = "idp-cli";

/// The number of objects applied at once.
const CONCURRENCY: usize = 8;

/// Applies manifests server-side with the field manager `idp-cli`: first namespaces and CRDs, and the rest when all
/// CRDs are served.
///
/// # Errors
/// The first document that does not parse, or the first object that the API server rejects, with file, kind and name.
pub async fn apply_manifests(client: &kube::Client, manifests: &[Manifest]) -> Result<()> {
    let mut objects = Vec::new();
    for manifest in manifests {
        objects.extend(parse(manifest)?);
    }
    apply_objects(client, objects).await
}

pub(crate) async fn apply_objects(client: &kube::Client, objects: Vec<Sourced>) -> Result<()> {
    let applier = Applier {
        client: client.clone(),
        known: Mutex::default(),
    };
    let (first, rest): (Vec<_>, Vec<_>) = objects
        .into_iter()
        .partition(|sourced| matches!(sourced.kind(), "Namespace" | "CustomResourceDefinition"));
    let definitions = first
        .iter()
        .filter(|sourced| sourced.kind() == "CustomResourceDefinition");
    let defined: Vec<Defined> = definitions.flat_map(served).collect();
    applier.apply_all(first).await?;
    wait_served(client, &defined).await?;
    applier.apply_all(rest).await
}

struct Applier {
    client: kube::Client,
    /// Results of discovery, so that each kind is looked up once.
    known: Mutex<HashMap<GroupVersionKind, (ApiResource, Scope)>>,
}

impl Applier {
    async fn apply_all(&self, objects: Vec<Sourced>) -> Result<()> {
        stream::iter(objects.into_iter().map(Ok))
            .try_for_each_concurrent(CONCURRENCY, |sourced| async move {
                self.apply(&sourced)
                    .await
                    .with_context(|| format!("applying {}", sourced.describe()))
            })
            .await
    }

    async fn apply(&self, sourced: &Sourced) -> Result<()> {
        let (resource, scope) = self.resource(sourced).await?;
        let name = sourced.field("/metadata/name");
        if name.is_empty() {
            bail!("metadata.name is missing.");
        }
        let api: Api<DynamicObject> = match scope {
            Scope::Cluster => Api::all_with(self.client.clone(), &resource),
            Scope::Namespaced => {
                let namespace = match sourced.field("/metadata/namespace") {
                    "" => "default",
                    namespace => namespace,
                };
                Api::namespaced_with(self.client.clone(), namespace, &resource)
            }
        };
        api.patch(
            name,
            &PatchParams::apply(FIELD_MANAGER).force(),
            &Patch::Apply(&sourced.object),
        )
        .await
        .map_err(refusal)?;
        Ok(())
    }

    async fn resource(&self, sourced: &Sourced) -> Result<(ApiResource, Scope)> {
        let api_version = sourced.field("/apiVersion");
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let kind = GroupVersionKind::gvk(group, version, sourced.kind());
        // Locked during the look-up, so that a kind with many objects is still looked up once.
        let mut known = self.known.lock().await;
        if let Some(found) = known.get(&kind) {
            return Ok(found.clone());
        }
        let (resource, capabilities) = pinned_kind(&self.client, &kind).await.with_context(|| {
            format!(
                "The API server does not serve {} of {api_version}.",
                sourced.kind()
            )
        })?;
        let found = (resource, capabilities.scope);
        known.insert(kind, found.clone());
        Ok(found)
    }
}

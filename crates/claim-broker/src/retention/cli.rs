//! `idp-cli data`: lists claims, and requests or cancels the deletion of their data, with a user's rights.
//!
//! A request is an annotation and no more. Only the broker sets the grace period, and deletes when it is over.

mod error;
#[cfg(test)]
mod tests;

use std::time::Duration;

use idp_api::{ClaimBinding, claim_binding::Tombstone};
use idp_core::{Kind, labels};
use idp_runtime::reading;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

pub use error::DataError;

use super::RetainedClaim;
use crate::{
    annotations, facts,
    identity::{CLI_MANAGER, NAME},
};

/// How often a write is tried again on a claim that another writer changes too.
const TRIES: u32 = 5;
/// How long the broker may take to see a change of a binding.
const SETTLE: Duration = Duration::from_millis(500);

/// The kinds of claims of a cluster: the platform's own, and those that its classes create.
///
/// # Errors
/// When the classes cannot be read.
pub async fn kinds(client: &Client) -> Result<Vec<Kind>, DataError> {
    let classes = reading::list::<idp_api::ClaimClass>(client, None, &ListParams::default()).await?;
    // The kind of an unreadable class still counts.
    let rest = classes.unreadable.into_iter().filter_map(|class| class.rest);
    let classes = classes.items.into_iter().chain(rest);
    let mut kinds = crate::kinds::CLAIMS.to_vec();
    for resource in classes.map(|class| class.spec.resource) {
        let known = |kind: &Kind| kind.kind == resource.kind && kind.api_version() == resource.api_version;
        if kinds.iter().any(known) {
            continue;
        }
        let Ok(served) = client.list_api_group_resources(&resource.api_version).await else {
            continue;
        };
        let mut served = served.resources.into_iter();
        let Some(found) = served.find(|served| served.kind == resource.kind && !served.name.contains('/'))
        else {
            continue;
        };
        let text = format!("{}/{}/{}", resource.api_version, resource.kind, found.name);
        kinds.extend(crate::kinds::parse(&text));
    }
    Ok(kinds)
}

/// Every claim of these kinds, of one namespace or of all, sorted by namespace and name.
///
/// # Errors
/// When they cannot be read.
pub async fn list(
    client: &Client,
    kinds: &[Kind],
    namespace: Option<&str>,
) -> Result<Vec<RetainedClaim>, DataError> {
    let params = ListParams::default().labels(&format!("{}={NAME}", labels::MANAGED_BY));
    let mut all = Vec::new();
    for kind in kinds {
        let found = match reading::list_raw(client, &kind.api_resource(), namespace, &params).await {
            Ok(found) => found,
            Err(kube::Error::Api(status)) if status.code == 404 => continue,
            Err(error) => return Err(error.into()),
        };
        all.extend(found.into_iter().map(|object| read(*kind, object.dynamic())));
    }
    all.sort_by(|one, other| (&one.namespace, &one.claim.name).cmp(&(&other.namespace, &other.claim.name)));
    Ok(all)
}

/// Requests the deletion of the data of a claim that no application uses. The broker deletes them when the grace period
/// is over: the answer says when.
///
/// # Errors
/// When the claim does not exist, or an application uses it.
pub async fn delete(
    client: &Client,
    kinds: &[Kind],
    namespace: &str,
    name: &str,
) -> Result<Tombstone, DataError> {
    let retained = find(client, kinds, namespace, name).await?;
    let tombstone = retained.claim.tombstone.clone().unwrap_or_default();
    annotate(client, &retained, json!({ annotations::DELETE_DATA: name })).await?;
    Ok(Tombstone {
        delete: true,
        ..tombstone
    })
}

/// Cancels [`delete`]: the data stay. An application that names the claim again can use them.
///
/// # Errors
/// When the claim does not exist, is being deleted already, or another writer requests the deletion again.
pub async fn undelete(
    client: &Client,
    kinds: &[Kind],
    namespace: &str,
    name: &str,
) -> Result<RetainedClaim, DataError> {
    let retained = find(client, kinds, namespace, name).await?;
    if let Some(tombstone) = retained
        .claim
        .tombstone
        .as_ref()
        .filter(|tombstone| tombstone.by_class)
    {
        return Err(DataError::ByClass {
            name: name.to_owned(),
            class: retained.claim.class,
            application: retained.claim.application,
            until: tombstone.until.clone(),
        });
    }
    // The binding first, if it still exists and has the annotation too: the broker copies it to the claim.
    let bindings = Api::<ClaimBinding>::namespaced(client.clone(), namespace);
    let patch = json!({ "metadata": { "annotations": { annotations::DELETE_DATA: Value::Null } } });
    match bindings
        .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
    {
        // A tenant may not write bindings, and only the platform can have set the annotation there.
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => {}
        other => drop(other?),
    }
    let claims = api(client, retained.kind, namespace);
    for _ in 0..TRIES {
        annotate(
            client,
            &retained,
            json!({ annotations::DELETE_DATA: Value::Null }),
        )
        .await?;
        // A broker that sees the change of the binding only now has set the annotation again by then.
        tokio::time::sleep(SETTLE).await;
        let now = live(&claims, &retained).await?;
        if now.is_some_and(|now| annotations::annotation(&now.metadata, annotations::DELETE_DATA).is_none()) {
            return Ok(retained);
        }
    }
    Err(DataError::RequestedAgain {
        name: name.to_owned(),
    })
}

async fn find(
    client: &Client,
    kinds: &[Kind],
    namespace: &str,
    name: &str,
) -> Result<RetainedClaim, DataError> {
    let found = list(client, kinds, Some(namespace))
        .await?
        .into_iter()
        .find(|found| found.claim.name == name);
    let found = found.ok_or_else(|| DataError::NotFound {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })?;
    if found.claim.deleting {
        return Err(DataError::Deleting {
            name: name.to_owned(),
        });
    }
    if found.claim.tombstone.is_none() {
        return Err(DataError::InUse {
            name: name.to_owned(),
            application: found.claim.application,
        });
    }
    Ok(found)
}

fn read(kind: Kind, mut object: DynamicObject) -> RetainedClaim {
    // Items of a list may lack their kind.
    object.types = Some(kube::core::TypeMeta {
        api_version: kind.api_version(),
        kind: kind.kind.to_owned(),
    });
    RetainedClaim {
        namespace: object.namespace().unwrap_or_default(),
        claim: facts::parse(&facts::claim(&object)).unwrap_or_default(),
        kind,
    }
}

/// Writes annotations, with the UID as precondition: another claim with the same name is not changed.
async fn annotate(client: &Client, retained: &RetainedClaim, annotations: Value) -> Result<(), DataError> {
    let patch = json!({ "metadata": { "uid": retained.claim.uid, "annotations": annotations } });
    let params = PatchParams {
        field_manager: Some(CLI_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let claims = api(client, retained.kind, &retained.namespace);
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let error = match claims
            .patch(&retained.claim.name, &params, &Patch::Merge(&patch))
            .await
        {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let kube::Error::Api(status) = &error else {
            return Err(error.into());
        };
        // 409: another claim with this name, or another writer was faster too often.
        if !matches!(status.code, 404 | 409) {
            return Err(error.into());
        }
        if live(&claims, retained).await?.is_none() {
            return Err(DataError::Gone {
                name: retained.claim.name.clone(),
            });
        }
        if tries == 0 || status.code == 404 {
            return Err(error.into());
        }
    }
}

/// The claim as it is now, if it still exists.
async fn live(
    claims: &Api<DynamicObject>,
    retained: &RetainedClaim,
) -> Result<Option<DynamicObject>, DataError> {
    let by_name = ListParams::default().fields(&format!("metadata.name={}", retained.claim.name));
    let found = claims.list(&by_name).await?.items.into_iter().next();
    Ok(found.filter(|found| found.uid().as_deref() == Some(retained.claim.uid.as_str())))
}

fn api(client: &Client, kind: Kind, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &kind.api_resource())
}

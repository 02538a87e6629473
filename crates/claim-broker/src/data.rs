//! The only code that deletes what holds data, and the marks on what is kept for nobody.
//!
//! A claim is deleted only if, at the very moment, it says itself that nobody wants it, that somebody said it may go, and
//! that its time is over; and if no binding wants it. UID and version of what was looked at are preconditions, so whoever
//! changes his mind in between wins.

use idp_api::{ClaimBinding, claim_binding::Tombstone};
use idp_core::{Kind, labels};
use jiff::Timestamp;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions},
};
use serde_json::{Value, json};

use crate::{controller::NAME, facts, facts::ClaimFacts, marks, tombstone};

/// Why data could not be looked at, marked or deleted.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The API server said no, or nothing.
    #[error("{0}")]
    Api(#[from] kube::Error),
    /// There is no claim of that name.
    #[error("the namespace {namespace} has no claim {name}")]
    NotFound {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
    },
    /// An application uses it.
    #[error("{name} is in use by the application {application}: remove it from the application first")]
    InUse {
        /// Name.
        name: String,
        /// The application.
        application: String,
    },
    /// It is being deleted already.
    #[error("{name} is being deleted")]
    Deleting {
        /// Name.
        name: String,
    },
}

/// A claim that exists.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Its namespace.
    pub namespace: String,
    /// Its kind.
    pub kind: Kind,
    /// What it says of itself; `tombstone` is there if nobody wants it.
    pub claim: ClaimFacts,
}

/// The kinds of claims that a cluster's classes make, besides those of the platform.
///
/// # Errors
/// When the classes cannot be read.
pub async fn kinds(client: &Client) -> Result<Vec<Kind>, DataError> {
    let classes = Api::<idp_api::ClaimClass>::all(client.clone())
        .list(&ListParams::default())
        .await?;
    let mut kinds = crate::kinds::CLAIMS.to_vec();
    for resource in classes.items.into_iter().map(|class| class.spec.resource) {
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
pub async fn list(client: &Client, kinds: &[Kind], namespace: Option<&str>) -> Result<Vec<Held>, DataError> {
    let params = ListParams::default().labels(&format!("{}={NAME}", labels::MANAGED_BY));
    let mut all = Vec::new();
    for kind in kinds {
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => api(client, *kind, namespace),
            None => Api::all_with(client.clone(), &kind.api_resource()),
        };
        let found = match api.list(&params).await {
            Ok(found) => found,
            Err(kube::Error::Api(status)) if status.code == 404 => continue,
            Err(error) => return Err(error.into()),
        };
        all.extend(found.items.into_iter().map(|object| held(*kind, object)));
    }
    all.sort_by(|one, other| (&one.namespace, &one.claim.name).cmp(&(&other.namespace, &other.claim.name)));
    Ok(all)
}

/// Says that the data of a claim that nobody wants may go. The broker deletes them once their grace period is over:
/// the answer holds until when.
///
/// # Errors
/// When there is no such claim, or an application uses it.
pub async fn delete(
    client: &Client,
    kinds: &[Kind],
    namespace: &str,
    name: &str,
) -> Result<Tombstone, DataError> {
    let held = kept(client, kinds, namespace, name).await?;
    let tombstone = held.claim.tombstone.clone().unwrap_or_default();
    annotate(client, &held, json!({ marks::DELETE_DATA: name })).await?;
    Ok(Tombstone {
        delete: true,
        ..tombstone
    })
}

/// Takes back [`delete`]: the data are kept on. An application that names the database again gets them.
///
/// # Errors
/// When there is no such claim, or it is being deleted.
pub async fn undelete(
    client: &Client,
    kinds: &[Kind],
    namespace: &str,
    name: &str,
) -> Result<Held, DataError> {
    let held = kept(client, kinds, namespace, name).await?;
    annotate(client, &held, json!({ marks::DELETE_DATA: Value::Null })).await?;
    // The binding, if it is still there, may say it as well.
    let bindings = Api::<ClaimBinding>::namespaced(client.clone(), namespace);
    let patch = json!({ "metadata": { "annotations": { marks::DELETE_DATA: Value::Null } } });
    match bindings
        .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
    {
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        other => drop(other?),
    }
    Ok(held)
}

async fn kept(client: &Client, kinds: &[Kind], namespace: &str, name: &str) -> Result<Held, DataError> {
    let held = list(client, kinds, Some(namespace))
        .await?
        .into_iter()
        .find(|held| held.claim.name == name);
    let held = held.ok_or_else(|| DataError::NotFound {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })?;
    if held.claim.deleting {
        return Err(DataError::Deleting {
            name: name.to_owned(),
        });
    }
    if held.claim.tombstone.is_none() {
        return Err(DataError::InUse {
            name: name.to_owned(),
            application: held.claim.application,
        });
    }
    Ok(held)
}

/// Marks a claim that nobody wants.
///
/// # Errors
/// When the API server refuses. A claim that is gone needs no mark.
pub async fn mark(client: &Client, held: &Held, tombstone: &Tombstone) -> Result<(), DataError> {
    let mut annotations = json!({ marks::RELEASED_AT: tombstone.since, marks::KEPT_UNTIL: tombstone.until });
    if tombstone.delete {
        annotations[marks::DELETE_DATA] = json!(held.claim.name);
    }
    tracing::info!(
        namespace = held.namespace,
        claim = held.claim.name,
        until = tombstone.until,
        delete = tombstone.delete,
        "nobody wants the claim; its data are kept"
    );
    gone_is_fine(annotate(client, held, annotations).await)
}

/// Takes the marks off: somebody wants the claim again.
///
/// # Errors
/// When the API server refuses.
pub async fn unmark(client: &Client, held: &Held) -> Result<(), DataError> {
    let annotations = json!({ marks::RELEASED_AT: null, marks::KEPT_UNTIL: null, marks::DELETE_DATA: null });
    tracing::info!(
        namespace = held.namespace,
        claim = held.claim.name,
        "the claim is wanted again"
    );
    gone_is_fine(annotate(client, held, annotations).await)
}

/// Deletes a claim with its data, if all that must be true of it is true now. Whether it was deleted.
///
/// # Errors
/// When the API server cannot be asked, or refuses.
pub async fn destroy(client: &Client, held: &Held, now: Timestamp) -> Result<bool, DataError> {
    let (namespace, name) = (held.namespace.as_str(), held.claim.name.as_str());
    let by_name = ListParams::default().fields(&format!("metadata.name={name}"));
    let claims = api(client, held.kind, namespace);
    let Some(live) = claims.list(&by_name).await?.items.into_iter().next() else {
        return Ok(false);
    };
    let (uid, version) = (live.uid(), live.resource_version());
    let now_held = self::held(held.kind, live);
    let is_same = uid.as_deref() == Some(held.claim.uid.as_str());
    let is_due = now_held
        .claim
        .tombstone
        .as_ref()
        .is_some_and(|tombstone| tombstone::is_due(tombstone, now));
    if !is_same || !is_due || now_held.claim.deleting {
        return Ok(false);
    }
    let bindings = Api::<ClaimBinding>::namespaced(client.clone(), namespace)
        .list(&by_name)
        .await?;
    if bindings
        .items
        .iter()
        .any(|binding| !binding.spec.released && binding.metadata.deletion_timestamp.is_none())
    {
        return Ok(false);
    }
    let params = DeleteParams::background().preconditions(Preconditions {
        uid,
        resource_version: version,
    });
    match claims.delete(name, &params).await {
        Ok(_) => {
            tracing::warn!(namespace, claim = name, kind = %held.kind, uid = held.claim.uid,
                application = held.claim.application, "deleted the claim with its data, as somebody asked");
            Ok(true)
        }
        // Gone already, or changed meanwhile: looked at again then.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn held(kind: Kind, mut object: DynamicObject) -> Held {
    // Items of a list need not say their kind.
    object.types = Some(kube::core::TypeMeta {
        api_version: kind.api_version(),
        kind: kind.kind.to_owned(),
    });
    Held {
        namespace: object.namespace().unwrap_or_default(),
        claim: facts::parse(&facts::claim(&object)).unwrap_or_default(),
        kind,
    }
}

/// The UID is a precondition: the namesake of a claim is another one.
async fn annotate(client: &Client, held: &Held, annotations: Value) -> Result<(), DataError> {
    let patch = json!({ "metadata": { "uid": held.claim.uid, "annotations": annotations } });
    let params = PatchParams {
        field_manager: Some(marks::MANAGER.to_owned()),
        ..PatchParams::default()
    };
    api(client, held.kind, &held.namespace)
        .patch(&held.claim.name, &params, &Patch::Merge(&patch))
        .await?;
    Ok(())
}

fn gone_is_fine(answer: Result<(), DataError>) -> Result<(), DataError> {
    match answer {
        Err(DataError::Api(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => Ok(()),
        other => other,
    }
}

fn api(client: &Client, kind: Kind, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &kind.api_resource())
}

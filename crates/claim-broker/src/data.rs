//! What holds data, listed, and the order by which somebody lets it go: what the command line does with a user's rights.
//!
//! An order is an annotation and no more. The broker alone dates it, and deletes when the grace period is over.

use std::time::Duration;

use idp_api::{ClaimBinding, claim_binding::Tombstone};
use idp_core::{Kind, labels};
use idp_runtime::reading;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{controller::NAME, facts, facts::ClaimFacts, marks};

/// How often the same is written to a claim that somebody else writes too.
const TRIES: u32 = 5;
/// How long the broker may take to learn what a binding says.
const SETTLE: Duration = Duration::from_millis(500);

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
    /// The order to delete it comes back.
    #[error("cannot cancel the deletion of {name}: another writer keeps setting idp.dev/delete-data")]
    OrderedAgain {
        /// Name.
        name: String,
    },
    /// Its class says that it goes.
    #[error(
        "cannot cancel the deletion of {name}: its class {class} deletes what nobody wants (deletionPolicy: Delete). To keep \
         the data, name it in the application {application} again before {until}"
    )]
    ByClass {
        /// Name.
        name: String,
        /// Its class.
        class: String,
        /// The application that it belonged to.
        application: String,
        /// When it goes.
        until: String,
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
    let classes = reading::list::<idp_api::ClaimClass>(client, None, &ListParams::default()).await?;
    // Of a class that cannot be read, the kind still counts.
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
pub async fn list(client: &Client, kinds: &[Kind], namespace: Option<&str>) -> Result<Vec<Held>, DataError> {
    let params = ListParams::default().labels(&format!("{}={NAME}", labels::MANAGED_BY));
    let mut all = Vec::new();
    for kind in kinds {
        let found = match reading::list_raw(client, &kind.api_resource(), namespace, &params).await {
            Ok(found) => found,
            Err(kube::Error::Api(status)) if status.code == 404 => continue,
            Err(error) => return Err(error.into()),
        };
        all.extend(found.into_iter().map(|object| held(*kind, object.dynamic())));
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
/// When there is no such claim, it is being deleted, or somebody orders that anew.
pub async fn undelete(
    client: &Client,
    kinds: &[Kind],
    namespace: &str,
    name: &str,
) -> Result<Held, DataError> {
    let held = kept(client, kinds, namespace, name).await?;
    if let Some(tombstone) = held
        .claim
        .tombstone
        .as_ref()
        .filter(|tombstone| tombstone.by_class)
    {
        return Err(DataError::ByClass {
            name: name.to_owned(),
            class: held.claim.class,
            application: held.claim.application,
            until: tombstone.until.clone(),
        });
    }
    // First the binding, if it is still there and says it as well: the broker carries it over to the claim.
    let bindings = Api::<ClaimBinding>::namespaced(client.clone(), namespace);
    let patch = json!({ "metadata": { "annotations": { marks::DELETE_DATA: Value::Null } } });
    match bindings
        .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
    {
        // A tenant may not write it, and nobody but the platform can have said so there.
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => {}
        other => drop(other?),
    }
    let claims = api(client, held.kind, namespace);
    for _ in 0..TRIES {
        annotate(client, &held, json!({ marks::DELETE_DATA: Value::Null })).await?;
        // A broker that learns of the binding later than of the claim has written it once more by then.
        tokio::time::sleep(SETTLE).await;
        let now = live(&claims, &held).await?;
        if now.is_some_and(|now| marks::annotation(&now.metadata, marks::DELETE_DATA).is_none()) {
            return Ok(held);
        }
    }
    Err(DataError::OrderedAgain {
        name: name.to_owned(),
    })
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
    let claims = api(client, held.kind, &held.namespace);
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match claims
            .patch(&held.claim.name, &params, &Patch::Merge(&patch))
            .await
        {
            // Another claim of that name, or the API server gave up because somebody else writes all the time.
            Err(kube::Error::Api(status))
                if status.code == 409 && tries > 0 && live(&claims, held).await?.is_some() => {}
            answer => return Ok(answer.map(drop)?),
        }
    }
}

/// The claim as it is now, if it is still there.
async fn live(claims: &Api<DynamicObject>, held: &Held) -> Result<Option<DynamicObject>, DataError> {
    let by_name = ListParams::default().fields(&format!("metadata.name={}", held.claim.name));
    let found = claims.list(&by_name).await?.items.into_iter().next();
    Ok(found.filter(|found| found.uid().as_deref() == Some(held.claim.uid.as_str())))
}

fn api(client: &Client, kind: Kind, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &kind.api_resource())
}

//! One write: server-side apply that can create an object, or change ours, and nothing else.
//!
//! Server-side apply with force takes over any object of the name. Two preconditions in the applied
//! object itself prevent that without another request:
//!
//! - **No object of that name is known**: the object carries `resourceVersion: "1"`. The API server ignores it
//!   when it creates, and returns 409 when an object exists, because no object ever has that version
//!   (etcd's first write is revision 2). The check and the write are one etcd transaction.
//! - **Ours**: it carries our object's `uid`. If that object was replaced or deleted meanwhile, the write fails,
//!   because a UID is immutable.
//!
//! Neither field is recorded in `managedFields`.

use std::sync::Arc;

use idp_core::{Kind, ObjectKey, labels};
use serde_json::{Map, Value, json};
use tracing::Instrument;

use super::{
    adoption::{is_handed_over, managers, name_taken},
    refusal::{Refusal, deleted_meanwhile},
};
use crate::{
    client::request::{Api, ApiError},
    object::{identity::Identity, parent::Parent, version::resource_version},
    observability::metrics,
    store::{
        entry::{Entry, PlanHash},
        kind_store::KindStore,
    },
};

/// A resource version that no object ever has.
const NEVER: &str = "1";

/// The object of this name that is known to exist.
#[derive(Clone, Debug)]
pub(crate) enum Existing {
    Nothing,
    /// Our object with this UID.
    Ours(String),
}

/// A child that is to be written.
pub(crate) struct Write {
    pub(crate) cache: Arc<KindStore>,
    pub(crate) key: ObjectKey,
    pub(crate) object: Value,
    pub(crate) hash: PlanHash,
    pub(crate) existing: Existing,
    /// Whether labels name the owner, because an owner reference cannot.
    pub(crate) owned_by_label: bool,
    /// Whether it outlives its owner.
    pub(crate) detached: bool,
    /// Fields that we own and give up, as an object that the second field manager applies.
    pub(crate) handover: Option<Value>,
}

/// The result of a write.
pub(crate) struct Written {
    /// The object as it is now.
    pub(crate) entry: Arc<Entry>,
    /// Whether another writer has changed it since.
    pub(crate) overtaken: bool,
    /// Whether its facts changed after the plan was made.
    pub(crate) facts_changed: bool,
}

impl Write {
    pub(crate) fn kind(&self) -> Kind {
        self.cache.watch.kind
    }
}

/// Writes children.
pub(crate) struct Writer {
    pub(crate) api: Api,
    pub(crate) identity: Identity,
}

impl Writer {
    /// Writes a child.
    pub(crate) async fn write(&self, parent: &Parent, write: &Write) -> Result<Written, Refusal> {
        let kind = write.kind();
        if let (Some(fields), Existing::Ours(uid)) = (&write.handover, &write.existing) {
            let mut fields = fields.clone();
            member(&mut fields, "metadata").insert("uid".into(), uid.as_str().into());
            let answer = self.api.hand_over(kind, &write.key, &fields).await;
            answer.map_err(|error| Refusal::of(kind, &write.key, &error))?;
        }
        match self.send(parent, write, &write.existing).await {
            Ok(written) => Ok(written),
            Err(error) if error.code() == Some(409) && matches!(write.existing, Existing::Nothing) => {
                let existing = Existing::Ours(self.claim(parent, write).await?);
                self.send(parent, write, &existing)
                    .await
                    .map_err(|error| Refusal::of(kind, &write.key, &error))
            }
            Err(error) => Err(Refusal::of(kind, &write.key, &error)),
        }
    }

    async fn send(&self, parent: &Parent, write: &Write, existing: &Existing) -> Result<Written, ApiError> {
        let body = self.body(parent, write, existing);
        let _expected = write.cache.expect(&write.key, write.hash);
        let span = tracing::info_span!("apply", kind = write.kind().kind, child = write.key.name);
        let answer = self
            .api
            .apply(write.kind(), &write.key, &body)
            .instrument(span)
            .await;
        let result = match (&answer, existing) {
            (Err(_), _) => "refused",
            (Ok(_), Existing::Nothing) => "created",
            (Ok(_), Existing::Ours(_)) => "configured",
        };
        metrics::applied(self.identity.name, write.kind(), result);
        match answer {
            Ok(object) => {
                let version = resource_version(&object);
                let (entry, facts_changed) = write.cache.written(&write.key, object);
                Ok(Written {
                    overtaken: entry.resource_version > version,
                    entry,
                    facts_changed,
                })
            }
            Err(error) => Err(error),
        }
    }

    fn body(&self, parent: &Parent, write: &Write, existing: &Existing) -> Value {
        let mut body = write.object.clone();
        let metadata = member(&mut body, "metadata");
        if write.owned_by_label {
            member_of(metadata, "labels").insert(labels::OWNER_UID.into(), parent.uid.as_str().into());
            let owner = format!("{}/{}", parent.key.namespace, parent.key.name);
            let annotations = member_of(metadata, "annotations");
            annotations.insert(labels::OWNER.into(), owner.into());
            if write.detached {
                annotations.insert(labels::DETACHED.into(), "true".into());
            }
        } else {
            metadata.insert(
                "ownerReferences".into(),
                json!([self.identity.owner_reference(&parent.key.name, &parent.uid)]),
            );
        }
        match existing {
            Existing::Nothing => metadata.insert("resourceVersion".into(), NEVER.into()),
            Existing::Ours(uid) => metadata.insert("uid".into(), uid.as_str().into()),
        };
        member_of(metadata, "annotations").insert(labels::PLAN_HASH.into(), write.hash.to_string().into());
        body
    }

    /// An object has the name that the cache does not know. Returns its UID if it is ours after all (it
    /// lost its label, or was handed over); otherwise it is not changed.
    async fn claim(&self, parent: &Parent, write: &Write) -> Result<String, Refusal> {
        let kind = write.kind();
        let answer = self.api.find(kind, &write.key).await;
        let found = answer.map_err(|error| Refusal::of(kind, &write.key, &error))?;
        let object = found.ok_or_else(|| deleted_meanwhile(kind, &write.key))?;
        let managers = managers(&object);
        let handed_over = is_handed_over(&object, parent, &write.key);
        let entry = write.cache.extract(object);
        let owned_elsewhere = entry.owner.as_ref().is_some_and(|owner| owner.uid != parent.uid);
        // An object that holds data is never adopted: its new owner might delete the data.
        let adopts = handed_over && !owned_elsewhere && !write.detached;
        if entry.belongs_to(&write.key, parent) || adopts {
            return Ok(entry.uid);
        }
        let taken = name_taken(kind, &write.key, &entry, parent, &managers, write.detached);
        Err(Refusal::Unwatched(taken))
    }
}

fn member<'a>(object: &'a mut Value, name: &str) -> &'a mut Map<String, Value> {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    match object {
        Value::Object(map) => member_of(map, name),
        _ => unreachable!("made an object just above"),
    }
}

fn member_of<'a>(object: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let member = object.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !member.is_object() {
        *member = Value::Object(Map::new());
    }
    match member {
        Value::Object(map) => map,
        _ => unreachable!("made an object just above"),
    }
}

//! One write: server-side apply that can create, or touch what is ours, and nothing else.
//!
//! Server-side apply with force takes over whatever has the name. Two preconditions in the applied
//! object itself prevent that without a request more:
//!
//! - **Nothing known of that name**: the object carries `resourceVersion: "1"`. The API server ignores it
//!   when it creates, and answers 409 when anything exists, because no object ever has that version
//!   (etcd's first write is revision 2). The check and the write are one etcd transaction.
//! - **Ours**: it carries our object's `uid`. Were that object replaced meanwhile, the write fails
//!   (a UID is immutable), and so it does when there is none.
//!
//! Neither field is recorded in `managedFields`.

use std::sync::Arc;

use idp_core::{Kind, ObjectKey, Problem, labels};
use kube::core::DynamicObject;
use serde_json::{Map, Value, json};
use tracing::Instrument;

use crate::{
    apply::{
        applier::Applier,
        refusal::{Refusal, deleted_meanwhile},
    },
    client::request::ApiError,
    object::{parent::Parent, version::resource_version},
    observability::metrics,
    store::{
        entry::{PlanHash, Record},
        kind_store::Cache,
    },
};

/// Annotation by which a person hands an object over to the resource of this name.
const ADOPT: &str = "idp.dev/adopt-by";
/// A resource version that no object ever has.
const NEVER: &str = "1";

/// What is known to exist under the name.
#[derive(Clone, Debug)]
pub(crate) enum Existing {
    Nothing,
    /// Our object with this UID.
    Ours(String),
}

/// A child that is to be written.
pub(crate) struct Write {
    pub(crate) cache: Arc<Cache>,
    pub(crate) key: ObjectKey,
    pub(crate) object: Value,
    pub(crate) hash: PlanHash,
    pub(crate) existing: Existing,
    /// Whether labels name the owner, as no owner reference can.
    pub(crate) owned_by_label: bool,
    /// Whether it outlives its owner.
    pub(crate) detached: bool,
    /// Fields that we own and give up, as an object to apply in the second manager's name.
    pub(crate) handover: Option<Value>,
}

/// What became of a write.
pub(crate) struct Written {
    /// The object as it is now.
    pub(crate) record: Arc<Record>,
    /// Whether somebody else has changed it since.
    pub(crate) overtaken: bool,
    /// Whether it tells something that the plan was made without.
    pub(crate) news: bool,
}

impl Write {
    pub(crate) fn kind(&self) -> Kind {
        self.cache.watch.kind
    }
}

impl Applier {
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
                let (record, news) = write.cache.written(&write.key, object);
                Ok(Written {
                    overtaken: record.resource_version > version,
                    record,
                    news,
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

    /// Something has the name that the cache does not know. Returns its UID if it is ours after all (it
    /// lost its label, or was handed over); otherwise it is not touched.
    async fn claim(&self, parent: &Parent, write: &Write) -> Result<String, Refusal> {
        let kind = write.kind();
        let answer = self.api.find(kind, &write.key).await;
        let found = answer.map_err(|error| Refusal::of(kind, &write.key, &error))?;
        let object = found.ok_or_else(|| deleted_meanwhile(kind, &write.key))?;
        let managers = managers(&object);
        let annotations = object.metadata.annotations.as_ref();
        let handed_over = annotations.and_then(|all| all.get(ADOPT)) == Some(&heir(parent, &write.key));
        let record = write.cache.extract(object);
        let owned_elsewhere = record.owner.as_ref().is_some_and(|owner| owner.uid != parent.uid);
        // What holds data is never taken over: whoever hands it over cannot mean what becomes of it with its new owner.
        let adopts = handed_over && !owned_elsewhere && !write.detached;
        if record.belongs_to(&write.key, parent) || adopts {
            return Ok(record.uid);
        }
        Err(Refusal::Unwatched(name_taken(
            kind,
            &write.key,
            &record,
            parent,
            &managers,
            write.detached,
        )))
    }
}

/// What the annotation must say that hands the object of this key over: the resource's name, and its namespace too where
/// that is another: resources of many namespaces may have the name.
fn heir(parent: &Parent, key: &ObjectKey) -> String {
    if parent.cannot_own(Some(&key.namespace)) {
        parent.key.to_string()
    } else {
        parent.key.name.clone()
    }
}

/// The problem of a name that somebody else's object has.
/// `holds_data`: such an object cannot be handed over.
pub(crate) fn name_taken(
    kind: Kind,
    key: &ObjectKey,
    record: &Record,
    parent: &Parent,
    managers: &[String],
    holds_data: bool,
) -> Problem {
    let whose = match &record.owner {
        Some(owner) => format!("it belongs to {} {}", owner.kind, owner.name),
        None if managers.is_empty() => "it belongs to nobody that Kubernetes knows".to_owned(),
        None => format!("it was written by {}", managers.join(", ")),
    };
    let problem = Problem::error(
        "NameTaken",
        format!("{kind} {} exists already and is not ours: {whose}", key.name),
    );
    let object = format!("{} {}", kind.plural, key.name);
    problem.hint(match &record.owner {
        Some(_) => format!("rename this resource, or delete the owner of `{object}`"),
        None if holds_data => {
            format!("rename this resource; `{object}` may hold data, and is neither taken over nor deleted")
        }
        None => format!(
            "rename this resource, or delete the object, or hand it over: `kubectl -n {} annotate {object} {ADOPT}={}` \
             (its fields are then overwritten)",
            key.namespace,
            heir(parent, key)
        ),
    })
}

/// Who wrote an object, as `managedFields` tells.
fn managers(object: &DynamicObject) -> Vec<String> {
    let entries = object.metadata.managed_fields.iter().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.manager.clone()).collect();
    names.sort();
    names.dedup();
    names
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

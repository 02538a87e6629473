//! What the caches keep of watched objects: a few fields of each, so that thousands need little memory and a status update
//! without news requeues nothing.

use std::collections::BTreeMap;

use idp_api::{ClaimBindingSpec, claim_binding::Tombstone};
use idp_runtime::ObjectKey;
use kube::core::DynamicObject;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{annotations, message::readable};

/// Label of all composed resources: their composite resource.
pub const COMPOSITE: &str = "crossplane.io/composite";
/// Label of all that Crossplane composes for a claim: the claim.
pub const CLAIM_NAME: &str = "crossplane.io/claim-name";
const CLAIM_NAMESPACE: &str = "crossplane.io/claim-namespace";

/// A claim, a namespaced composite resource, or a PersistentVolumeClaim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimFacts {
    /// `group/version`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// When it was created, in RFC 3339.
    pub created: String,
    /// The application that it was created for.
    pub application: String,
    /// Its class.
    pub class: String,
    /// The spec of its binding.
    pub binding: Option<ClaimBindingSpec>,
    /// Since when no application uses it, and until when it is kept.
    pub tombstone: Option<Tombstone>,
    /// Its annotations out of [`annotations::RETENTION`]: a decision based on them is valid only while they are the same.
    pub retention: BTreeMap<String, String>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// `metadata.generation`.
    pub generation: i64,
    /// Its conditions.
    pub state: State,
    /// When, or with which version, the connection Secret was last published.
    pub published: Option<String>,
    /// The claim's composite resource: kind and name.
    pub composite: Option<(String, String)>,
    /// Phase of a PersistentVolumeClaim.
    pub phase: Option<String>,
}

/// A composite or composed resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceFacts {
    /// `group/version`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Its conditions.
    pub state: State,
}

/// The conditions that Crossplane and its providers set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// `Synced`.
    pub synced: Option<ConditionState>,
    /// `Ready`.
    pub ready: Option<ConditionState>,
    /// `LastAsyncOperation`, of providers made with Upjet.
    pub last_operation: Option<ConditionState>,
}

/// A condition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConditionState {
    /// Whether its status is `True`.
    pub is_true: bool,
    /// Whether its status is `False`; `Unknown` is neither.
    pub is_false: bool,
    /// Its reason.
    pub reason: String,
    /// Its message, without parts that change with each attempt.
    pub message: String,
}

/// Parses facts that this module created from the same type: they always parse, and `None` means that there are none. A
/// ClaimClass, whose facts are its spec, is read by [`View::read`](idp_runtime::View::read), which returns the error.
pub fn parse<T: DeserializeOwned>(facts: &Value) -> Option<T> {
    T::deserialize(facts).ok()
}

/// A ClaimClass: its spec.
pub fn class(object: &DynamicObject) -> Value {
    object.data["spec"].clone()
}

/// A Namespace: its labels.
pub fn namespace(object: &DynamicObject) -> Value {
    json!(object.metadata.labels.clone().unwrap_or_default())
}

/// The index of claims: their namespace.
pub fn namespace_of(object: &DynamicObject) -> Vec<String> {
    object.metadata.namespace.clone().into_iter().collect()
}

/// A claim.
pub fn claim(object: &DynamicObject) -> Value {
    let (metadata, data) = (&object.metadata, &object.data);
    let types = object.types.clone().unwrap_or_default();
    let annotation = |key| annotations::annotation(metadata, key);
    let tombstone = annotation(annotations::RELEASED_AT).map(|since| Tombstone {
        since: since.to_owned(),
        until: annotation(annotations::KEPT_UNTIL).unwrap_or_default().to_owned(),
        delete: annotation(annotations::DELETE_DATA) == metadata.name.as_deref()
            || annotation(annotations::DELETION_POLICY) == Some(annotations::BY_CLASS),
        by_class: annotation(annotations::DELETION_POLICY) == Some(annotations::BY_CLASS),
    });
    let reference = &data["spec"]["resourceRef"];
    let facts = ClaimFacts {
        api_version: types.api_version,
        kind: types.kind,
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        created: metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0.to_string())
            .unwrap_or_default(),
        application: annotations::application(metadata).unwrap_or_default().to_owned(),
        class: annotations::label(metadata, annotations::CLASS)
            .unwrap_or_default()
            .to_owned(),
        binding: annotation(annotations::BINDING).and_then(|text| serde_json::from_str(text).ok()),
        tombstone,
        retention: annotations::RETENTION
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), annotation(key)?.to_owned())))
            .collect(),
        deleting: metadata.deletion_timestamp.is_some(),
        generation: metadata.generation.unwrap_or_default(),
        state: state(object),
        published: text(&data["status"]["connectionDetails"]["lastPublishedTime"])
            .or_else(|| text(&data["status"]["connection"]["version"])),
        composite: text(&reference["kind"]).zip(text(&reference["name"])),
        phase: text(&data["status"]["phase"]),
    };
    json!(facts)
}

/// A composite or composed resource.
pub fn resource(object: &DynamicObject) -> Value {
    let types = object.types.clone().unwrap_or_default();
    json!(ResourceFacts {
        api_version: types.api_version,
        kind: types.kind,
        name: object.metadata.name.clone().unwrap_or_default(),
        state: state(object),
    })
}

/// The binding of a composite or composed resource: it has the name of the claim, or of the composite resource in the same
/// namespace. An object in a namespace never belongs to a binding in another, whatever its labels: tenants can write them.
pub fn binding_of(object: &DynamicObject) -> Option<ObjectKey> {
    let label = |key| annotations::label(&object.metadata, key);
    let own = object.metadata.namespace.as_deref();
    match (label(CLAIM_NAMESPACE), label(CLAIM_NAME)) {
        (Some(namespace), Some(name)) => own
            .is_none_or(|own| own == namespace)
            .then(|| ObjectKey::new(namespace, name)),
        _ => Some(ObjectKey::new(own?, label(COMPOSITE)?)),
    }
}

/// The class of a claim.
pub fn class_of(object: &DynamicObject) -> Option<ObjectKey> {
    Some(ObjectKey::new(
        "",
        annotations::label(&object.metadata, annotations::CLASS)?,
    ))
}

fn state(object: &DynamicObject) -> State {
    let condition = |type_: &str| {
        let conditions = object.data["status"]["conditions"].as_array();
        let condition = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition["type"] == type_)?;
        Some(ConditionState {
            is_true: condition["status"] == "True",
            is_false: condition["status"] == "False",
            reason: text(&condition["reason"]).unwrap_or_default(),
            message: readable(condition["message"].as_str().unwrap_or_default()),
        })
    };
    State {
        synced: condition("Synced"),
        ready: condition("Ready"),
        last_operation: condition("LastAsyncOperation"),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

impl ClaimFacts {
    /// Whether a person requested the deletion of the data on the claim.
    pub fn is_deletion_requested(&self) -> bool {
        self.retention.get(annotations::DELETE_DATA) == Some(&self.name)
    }
}

impl State {
    /// Whether it is ready.
    pub fn is_ready(&self) -> bool {
        self.ready.as_ref().is_some_and(|ready| ready.is_true)
    }

    /// Whether it has conditions: until then, no controller has seen it.
    pub fn is_known(&self) -> bool {
        self.synced.is_some() || self.ready.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn composed_resources_find_their_binding_both_ways() {
        let v1 = object(
            json!({ "apiVersion": "a/v1", "kind": "A", "metadata": { "name": "x", "labels": {
            COMPOSITE: "orders-x7", CLAIM_NAME: "orders", CLAIM_NAMESPACE: "team" } } }),
        );
        assert_eq!(binding_of(&v1), Some(ObjectKey::new("team", "orders")));
        let v2 = object(
            json!({ "apiVersion": "a/v1", "kind": "A", "metadata": { "name": "x", "namespace": "team",
            "labels": { COMPOSITE: "orders" } } }),
        );
        assert_eq!(binding_of(&v2), Some(ObjectKey::new("team", "orders")));
        let other = object(json!({ "apiVersion": "a/v1", "kind": "A", "metadata": { "name": "x" } }));
        assert_eq!(binding_of(&other), None);
        let forged = object(
            json!({ "apiVersion": "a/v1", "kind": "A", "metadata": { "name": "x", "namespace": "evil",
            "labels": { COMPOSITE: "orders", CLAIM_NAME: "orders", CLAIM_NAMESPACE: "team" } } }),
        );
        assert_eq!(binding_of(&forged), None);
    }

    #[test]
    fn a_claim_has_its_identity_and_its_state() {
        let facts: ClaimFacts = parse(&claim(&object(json!({
            "apiVersion": "platform.idp.dev/v1alpha1", "kind": "PostgresInstance",
            "metadata": { "name": "shop-orders", "uid": "u", "generation": 2,
                "labels": { "idp.dev/application": "shop", "idp.dev/claim-class": "pg" },
                "annotations": { "idp.dev/released-at": "2026-01-01T00:00:00Z", "idp.dev/kept-until":
                    "2026-01-08T00:00:00Z", "idp.dev/delete-data": "shop-orders" } },
            "spec": { "resourceRef": { "kind": "XPostgresInstance", "name": "shop-orders-x7" } },
            "status": { "connectionDetails": { "lastPublishedTime": "2026-01-01T00:00:01Z" },
                "conditions": [{ "type": "Ready", "status": "True", "reason": "Available" }] } }))))
        .unwrap();
        assert!(facts.state.is_ready() && facts.tombstone.unwrap().delete);
        assert_eq!(facts.published.as_deref(), Some("2026-01-01T00:00:01Z"));
        assert_eq!(
            facts.composite,
            Some(("XPostgresInstance".into(), "shop-orders-x7".into()))
        );
    }
}

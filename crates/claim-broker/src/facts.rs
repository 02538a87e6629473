//! What the caches remember of watched objects: a few fields of each, so that thousands cost little memory and a status
//! update that tells nothing new wakes nobody.

use std::collections::BTreeMap;

use idp_api::{ClaimBindingSpec, claim_binding::Tombstone};
use idp_runtime::ObjectKey;
use kube::core::DynamicObject;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{cause::readable, marks};

/// Label of everything that Crossplane composes: the composite resource.
pub const COMPOSITE: &str = "crossplane.io/composite";
/// Label of everything that Crossplane 1 makes of a claim: the claim.
pub const CLAIM_NAME: &str = "crossplane.io/claim-name";
const CLAIM_NAMESPACE: &str = "crossplane.io/claim-namespace";

/// Of a claim, a composite resource in a namespace, or a volume claim.
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
    /// The application that it was made for.
    pub application: String,
    /// Its class.
    pub class: String,
    /// The binding that it was made from.
    pub binding: Option<ClaimBindingSpec>,
    /// Since when nobody wants it, and until when it is kept.
    pub tombstone: Option<Tombstone>,
    /// Those of [`marks::RETENTION`] that it carries, as they are: what is decided on them holds only for these.
    pub marks: BTreeMap<String, String>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// `metadata.generation`.
    pub generation: i64,
    /// Conditions that matter.
    pub state: State,
    /// When, or as which version, the connection Secret was last published.
    pub published: Option<String>,
    /// Composite resource of a claim: kind and name.
    pub composite: Option<(String, String)>,
    /// Phase of a volume claim.
    pub phase: Option<String>,
}

/// Of a composite or composed resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceFacts {
    /// `group/version`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Conditions that matter.
    pub state: State,
}

/// The conditions that Crossplane and its providers set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// `Synced`.
    pub synced: Option<Said>,
    /// `Ready`.
    pub ready: Option<Said>,
    /// `LastAsyncOperation`, of providers made with Upjet.
    pub last_operation: Option<Said>,
}

/// One condition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Said {
    /// Whether its status is `True`.
    pub yes: bool,
    /// Whether its status is `False`: `Unknown` is neither.
    pub no: bool,
    /// Its reason.
    pub reason: String,
    /// Its message, without what changes with each attempt.
    pub message: String,
}

/// Reads facts back.
pub fn parse<T: DeserializeOwned>(facts: &Value) -> Option<T> {
    T::deserialize(facts).ok()
}

/// Of a ClaimClass: its spec.
pub fn class(object: &DynamicObject) -> Value {
    object.data["spec"].clone()
}

/// Of a Namespace: its labels, and whether it is going.
pub fn namespace(object: &DynamicObject) -> Value {
    json!(object.metadata.labels.clone().unwrap_or_default())
}

/// What an object that holds data is looked up by: its namespace.
pub fn namespace_of(object: &DynamicObject) -> Vec<String> {
    object.metadata.namespace.clone().into_iter().collect()
}

/// Of an object that holds data.
pub fn claim(object: &DynamicObject) -> Value {
    let (metadata, data) = (&object.metadata, &object.data);
    let types = object.types.clone().unwrap_or_default();
    let annotation = |key| marks::annotation(metadata, key);
    let tombstone = annotation(marks::RELEASED_AT).map(|since| Tombstone {
        since: since.to_owned(),
        until: annotation(marks::KEPT_UNTIL).unwrap_or_default().to_owned(),
        delete: annotation(marks::DELETE_DATA) == metadata.name.as_deref()
            || annotation(marks::DELETION_POLICY) == Some(marks::BY_CLASS),
        by_class: annotation(marks::DELETION_POLICY) == Some(marks::BY_CLASS),
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
        application: marks::application(metadata).unwrap_or_default().to_owned(),
        class: marks::label(metadata, marks::CLASS)
            .unwrap_or_default()
            .to_owned(),
        binding: annotation(marks::BINDING).and_then(|text| serde_json::from_str(text).ok()),
        tombstone,
        marks: marks::RETENTION
            .into_iter()
            .filter_map(|mark| Some((mark.to_owned(), annotation(mark)?.to_owned())))
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

/// Of a composite or composed resource.
pub fn resource(object: &DynamicObject) -> Value {
    let types = object.types.clone().unwrap_or_default();
    json!(ResourceFacts {
        api_version: types.api_version,
        kind: types.kind,
        name: object.metadata.name.clone().unwrap_or_default(),
        state: state(object),
    })
}

/// The binding that a composite or composed resource concerns: that of its claim, which has the binding's name, or of
/// the composite resource in the same namespace. What is in a namespace concerns none of another, whatever its labels
/// say: there anybody may have written them.
pub fn binding_of(object: &DynamicObject) -> Option<ObjectKey> {
    let label = |key| marks::label(&object.metadata, key);
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
    Some(ObjectKey::new("", marks::label(&object.metadata, marks::CLASS)?))
}

fn state(object: &DynamicObject) -> State {
    let said = |type_: &str| {
        let conditions = object.data["status"]["conditions"].as_array();
        let condition = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition["type"] == type_)?;
        Some(Said {
            yes: condition["status"] == "True",
            no: condition["status"] == "False",
            reason: text(&condition["reason"]).unwrap_or_default(),
            message: readable(condition["message"].as_str().unwrap_or_default()),
        })
    };
    State {
        synced: said("Synced"),
        ready: said("Ready"),
        last_operation: said("LastAsyncOperation"),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

impl ClaimFacts {
    /// Whether somebody has said that the data may go.
    pub fn is_ordered(&self) -> bool {
        self.marks.get(marks::DELETE_DATA) == Some(&self.name)
    }
}

impl State {
    /// Whether it works.
    pub fn is_ready(&self) -> bool {
        self.ready.as_ref().is_some_and(|ready| ready.yes)
    }

    /// Whether anybody has said anything of it.
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
    fn composed_resources_find_their_binding_in_both_generations() {
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
    fn a_claim_tells_what_it_is_and_how_it_is() {
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

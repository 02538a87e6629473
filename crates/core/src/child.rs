//! A child: one object that a plan wants to exist.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Kind;

/// What to do with a planned child in this reconcile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write it.
    Apply,
    /// Hold it: neither create, change nor prune it, because something else must happen first.
    Hold {
        /// Why, for people: `waits for ...`, `runs once ...`.
        because: String,
    },
}

/// One object that a plan wants to exist.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Its kind.
    pub kind: Kind,
    /// `metadata.namespace`; absent for cluster-wide kinds.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
    /// The whole object, with `apiVersion`, `kind` and `metadata`; only the fields that we own.
    pub object: Value,
    /// What to do with it now.
    pub step: Step,
    /// Children of a lower wave are written first.
    pub wave: u8,
    /// Fields handed over to another writer, as JSON pointers, with the values that they keep until that writer sets
    /// them. Without this, a field that the plan no longer contains falls back to its default.
    pub yields: Vec<(&'static str, Value)>,
    /// Whether it outlives the resource, because it holds data: it is neither pruned nor garbage collected, and a later
    /// resource with the same namespace and name takes it over.
    pub detached: bool,
    /// UID that the object must have. Without one, the object is created if it does not exist.
    pub uid: Option<String>,
}

impl Child {
    /// A child of a built-in kind.
    ///
    /// # Panics
    /// Never for the types of k8s-openapi: they all serialise.
    pub fn typed<K: Serialize>(kind: Kind, metadata: &ObjectMeta, object: &K) -> Self {
        let value = serde_json::to_value(object).unwrap_or(Value::Null);
        let Value::Object(mut fields) = value else {
            return Self::custom(kind, metadata, Map::new());
        };
        fields.remove("status");
        Self::custom(kind, metadata, fields)
    }

    /// A child with a `spec` as JSON, for kinds of other projects without Rust types.
    pub fn with_spec(kind: Kind, metadata: &ObjectMeta, spec: Value) -> Self {
        Self::custom(kind, metadata, Map::from_iter([("spec".to_owned(), spec)]))
    }

    fn custom(kind: Kind, metadata: &ObjectMeta, mut fields: Map<String, Value>) -> Self {
        fields.insert("apiVersion".into(), json!(kind.api_version()));
        fields.insert("kind".into(), json!(kind.kind));
        fields.insert(
            "metadata".into(),
            serde_json::to_value(metadata).unwrap_or_default(),
        );
        let mut object = Value::Object(fields);
        drop_nulls(&mut object);
        Self {
            kind,
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone().unwrap_or_default(),
            object,
            step: Step::Apply,
            wave: 0,
            yields: Vec::new(),
            detached: false,
            uid: None,
        }
    }

    /// Puts the child into a later wave.
    #[must_use]
    pub fn in_wave(mut self, wave: u8) -> Self {
        self.wave = wave;
        self
    }

    /// Hands a field over to another writer; it keeps `value` until that writer sets it.
    #[must_use]
    pub fn yielding(mut self, pointer: &'static str, value: Value) -> Self {
        self.yields.push((pointer, value));
        self
    }

    /// Lets the child outlive the resource. It must be deleted explicitly.
    #[must_use]
    pub fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// Binds the child to the object with this UID. If that object is deleted, it is not created again.
    #[must_use]
    pub fn existing(mut self, uid: Option<String>) -> Self {
        self.uid = uid;
        self
    }

    /// Holds the child until something else has happened.
    #[must_use]
    pub fn held(mut self, because: impl Into<String>) -> Self {
        self.step = Step::Hold {
            because: because.into(),
        };
        self
    }
}

/// Removes fields that are `null`: server-side apply treats null as a value, not as absent.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

//! A child: one object that a plan wants to exist.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Kind;

/// What to do with a planned child now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write it.
    Apply,
    /// Leave it as it is, and do not prune it: something must happen first. If it does not exist yet,
    /// it is not created.
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
    /// Fields that somebody else sets from now on, as JSON pointers of members, with the values that they keep until
    /// then. Without this, a field that the plan stops naming falls back to its default.
    pub yields: Vec<(&'static str, Value)>,
    /// Whether it outlives the resource, because data hang on it: it is neither pruned nor collected, and a later
    /// resource of the same namespace and name takes it over.
    pub detached: bool,
    /// UID of the object that it must be. Without one, it is created where it does not exist.
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

    /// A child with a `spec` given as JSON: for the kinds of other projects, which have no Rust types.
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

    /// Gives a field up to whoever sets it next; it keeps `value` until then.
    #[must_use]
    pub fn yielding(mut self, pointer: &'static str, value: Value) -> Self {
        self.yields.push((pointer, value));
        self
    }

    /// Lets the child outlive the resource. Whoever wants it gone must delete it by an act of its own.
    #[must_use]
    pub fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// Lets the child be the object with this UID and no other: once that is gone, none is made in its place.
    #[must_use]
    pub fn existing(mut self, uid: Option<String>) -> Self {
        self.uid = uid;
        self
    }

    /// Keeps the child as it is until something has happened.
    #[must_use]
    pub fn held(mut self, because: impl Into<String>) -> Self {
        self.step = Step::Hold {
            because: because.into(),
        };
        self
    }
}

/// Removes members that are `null`: in server-side apply a null is not "not said" but a value.
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

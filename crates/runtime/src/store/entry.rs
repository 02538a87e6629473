//! What the caches keep of one object: a compact extract, made as soon as an event arrives.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use idp_core::{ObjectKey, hash, labels};
use kube::core::{DynamicObject, ObjectMeta};
use serde_json::Value;

use crate::{
    object::{identity::Identity, parent::Parent, version::resource_version},
    store::watch::{Targets, Watch},
};

/// Hash of a desired object, parsed: eight bytes instead of a string in each of thousands of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlanHash(u64);

impl PlanHash {
    /// The hash of a desired object.
    pub(crate) fn of(object: &Value) -> Self {
        Self::parse(&hash::of(object)).unwrap_or(Self(0))
    }

    /// Parses the annotation. A value that we did not write is `None`, which differs from every plan.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        (text.len() == 16)
            .then(|| u64::from_str_radix(text, 16).ok().map(Self))
            .flatten()
    }
}

impl std::fmt::Display for PlanHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The resource that an object belongs to: its controller owner reference, or our labels where an owner reference is not possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// What is known about the fields that we own in an object, for the plan with this hash.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Coverage {
    /// Not compared yet.
    #[default]
    Unknown,
    /// Every desired field is ours.
    Covered(PlanHash),
    /// The API server accepted the object but dropped these fields; writing again would not help.
    Dropped(PlanHash, Vec<String>),
}

/// The extract of one object.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) uid: String,
    pub(crate) resource_version: u64,
    pub(crate) plan_hash: Option<PlanHash>,
    /// JSON of our manager's `fieldsV1`; empty when we own nothing. Thousands of objects share one text.
    pub(crate) owned_fields: Arc<str>,
    pub(crate) owner: Option<Owner>,
    /// Whether it outlives its owner.
    pub(crate) detached: bool,
    /// Whether the managed-by label has our name.
    pub(crate) managed: bool,
    pub(crate) target: Option<ObjectKey>,
    pub(crate) facts: Arc<Value>,
    /// What it is looked up by; empty once the index knows them.
    pub(crate) terms: Vec<String>,
    pub(crate) deleting: bool,
    pub(crate) coverage: Coverage,
}

impl Entry {
    /// Reduces an object. Its managed fields are removed before `facts` is called: they are the larger half of most
    /// objects, and no controller needs them.
    pub(crate) fn new(
        mut object: DynamicObject,
        watch: &Watch,
        identity: &Identity,
        pool: &Mutex<Pool>,
    ) -> Self {
        let owned_fields = owned_fields(&mut object, identity.name);
        // Facts may take long to compute, of a certificate request for instance, so the pool is not locked meanwhile.
        let facts = (watch.facts)(&object);
        let (owned_fields, facts) = {
            let mut pool = Pool::lock(pool);
            (pool.intern(&owned_fields), pool.facts(facts))
        };
        let metadata = &object.metadata;
        let reference = metadata
            .owner_references
            .iter()
            .flatten()
            .find(|owner| owner.controller == Some(true));
        let labelled = match reference {
            None => LabelledOwner::of(metadata, watch, identity),
            Some(_) => None,
        };
        let target = match watch.targets {
            Targets::Owner => match reference {
                Some(owner) => identity.owns(owner).then(|| ObjectKey {
                    namespace: if identity.kind.namespaced {
                        metadata.namespace.clone().unwrap_or_default()
                    } else {
                        String::new()
                    },
                    name: owner.name.clone(),
                }),
                None => labelled.as_ref().map(|owner| owner.key.clone()),
            },
            Targets::All | Targets::Namespace => None,
            Targets::Named(target) => target(&object),
        };
        let annotations = metadata.annotations.as_ref();
        let managed_by = metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(labels::MANAGED_BY));
        Self {
            plan_hash: annotations
                .and_then(|all| all.get(labels::PLAN_HASH))
                .and_then(|text| PlanHash::parse(text)),
            owned_fields,
            detached: watch.outlive && annotations.is_some_and(|all| all.contains_key(labels::DETACHED)),
            owner: match (reference, labelled) {
                (Some(owner), _) => Some(Owner {
                    kind: owner.kind.clone(),
                    name: owner.name.clone(),
                    uid: owner.uid.clone(),
                }),
                (None, Some(owner)) => Some(Owner {
                    kind: identity.kind.kind.to_owned(),
                    name: owner.key.name,
                    uid: owner.uid,
                }),
                (None, None) => None,
            },
            managed: managed_by.is_some_and(|manager| manager == identity.name),
            target,
            facts,
            terms: (watch.terms)(&object),
            deleting: metadata.deletion_timestamp.is_some(),
            resource_version: resource_version(&object),
            uid: object.metadata.uid.take().unwrap_or_default(),
            coverage: Coverage::Unknown,
        }
    }

    /// Whether both are the same for a plan.
    pub(crate) fn same_facts(&self, other: &Self) -> bool {
        self.facts == other.facts && self.target == other.target
    }

    /// Whether the object, which has this `key`, belongs to `parent`: it has the resource's UID, and is in a namespace where
    /// children of the resource are planned. Names prove nothing, because anyone may write them into their own objects.
    ///
    /// A detached object belongs to the resource of its namespace that has its owner's name: it outlives the first, and the
    /// second finds it. An object in the resource's namespace that lost its owner reference (it was orphaned, or the
    /// reference was removed) is still ours while it has our label and fields that our server-side apply wrote; one with
    /// another owner is not.
    pub(crate) fn belongs_to(&self, key: &ObjectKey, parent: &Parent) -> bool {
        if !parent.plans_in(&key.namespace) {
            return false;
        }
        match &self.owner {
            Some(_) if self.detached => self.managed && self.target.as_ref() == Some(&parent.key),
            Some(owner) => owner.uid == parent.uid,
            None => self.managed && !self.owned_fields.is_empty() && !parent.cannot_own(Some(&key.namespace)),
        }
    }

    /// Keeps the known coverage while neither the fields nor the plan changed.
    pub(crate) fn inherit(&mut self, older: &Self) {
        if self.plan_hash == older.plan_hash
            && self.owned_fields == older.owned_fields
            && self.uid == older.uid
        {
            self.coverage = older.coverage.clone();
        }
    }
}

/// The owner that our labels name.
struct LabelledOwner {
    key: ObjectKey,
    uid: String,
}

impl LabelledOwner {
    /// Only for kinds whose children may have no owner reference, and with our managed-by label: several controllers write
    /// such labels. An object in its owner's namespace cannot name an owner in another.
    fn of(metadata: &ObjectMeta, watch: &Watch, identity: &Identity) -> Option<Self> {
        if !(watch.elsewhere || watch.outlive) {
            return None;
        }
        let labels = metadata.labels.as_ref()?;
        if labels.get(labels::MANAGED_BY).map(String::as_str) != Some(identity.name) {
            return None;
        }
        let uid = labels.get(labels::OWNER_UID)?.clone();
        let (namespace, name) = metadata
            .annotations
            .as_ref()?
            .get(labels::OWNER)?
            .split_once('/')?;
        let is_beside = metadata.namespace.as_deref().unwrap_or_default() == namespace;
        (watch.elsewhere || is_beside).then(|| Self {
            key: ObjectKey::new(namespace, name),
            uid,
        })
    }
}

/// Removes the managed fields from `object` and returns those that `manager` applied. Owner references
/// are left out: their UID would make every text unique. They are compared separately.
fn owned_fields(object: &mut DynamicObject, manager: &str) -> String {
    let entries = object.metadata.managed_fields.take().unwrap_or_default();
    let ours = entries.into_iter().find(|entry| {
        entry.manager.as_deref() == Some(manager)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    });
    let Some(mut fields) = ours.and_then(|entry| entry.fields_v1).map(|fields| fields.0) else {
        return String::new();
    };
    if let Some(metadata) = fields.get_mut("f:metadata").and_then(Value::as_object_mut) {
        metadata.remove("f:ownerReferences");
    }
    fields.to_string()
}

/// Texts and facts that many entries share.
#[derive(Default)]
pub(crate) struct Pool {
    texts: HashSet<Arc<str>>,
    no_facts: Arc<Value>,
    sweep_at: usize,
}

impl Pool {
    fn lock(pool: &Mutex<Self>) -> MutexGuard<'_, Self> {
        pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        if self.texts.len() >= self.sweep_at {
            self.texts.retain(|text| Arc::strong_count(text) > 1);
            self.sweep_at = (self.texts.len() * 2).max(256);
        }
        let text: Arc<str> = text.into();
        self.texts.insert(text.clone());
        text
    }

    fn facts(&self, facts: Value) -> Arc<Value> {
        if facts.is_null() {
            self.no_facts.clone()
        } else {
            Arc::new(facts)
        }
    }
}

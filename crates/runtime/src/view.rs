//! What `observe` may read: the caches.

use std::sync::Arc;

use futures::{StreamExt, stream::BoxStream};
use idp_core::Kind;
use serde_json::Value;

use crate::{
    applier::Parent,
    cache::Serving,
    caches::Caches,
    identity::Identity,
    reconcile::{ObjectKey, Reconcile},
    resources::Resources,
};

/// The caches, for reading. Nothing here sends a request.
pub struct View<R: Reconcile> {
    pub(crate) caches: Arc<Caches>,
    pub(crate) resources: Arc<Resources<R::Resource>>,
    pub(crate) identity: Identity,
}

impl<R: Reconcile> Clone for View<R> {
    fn clone(&self) -> Self {
        Self {
            caches: self.caches.clone(),
            resources: self.resources.clone(),
            identity: self.identity,
        }
    }
}

impl<R: Reconcile> View<R> {
    /// One of the resources that are reconciled.
    pub fn resource(&self, key: &ObjectKey) -> Option<Arc<R::Resource>> {
        self.resources.get(key)
    }

    /// All resources that are reconciled.
    pub fn resources(&self) -> Vec<Arc<R::Resource>> {
        self.resources.all()
    }

    /// What is remembered of one object, whosever it is; absent when there is no such object (or it is not watched).
    pub fn facts(&self, kind: Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let key = ObjectKey::new(namespace, name);
        self.caches
            .of_kind(kind)
            .find_map(|cache| cache.get(&key))
            .map(|record| record.facts.clone())
    }

    /// Names and facts of the children of `owner`: objects of `kind` that have its UID, where such children are
    /// planned. What only names it is not among them.
    pub fn facts_of(&self, kind: Kind, owner: &R::Resource) -> Vec<(ObjectKey, Arc<Value>)> {
        let parent = Parent::of::<R>(owner);
        let owned = self.caches.of_kind(kind).filter(|cache| cache.is_owned());
        owned
            .flat_map(|cache| cache.of_target(&parent.key))
            .filter(|(key, record)| record.belongs_to(key, &parent))
            .map(|(key, record)| (key, record.facts.clone()))
            .collect()
    }

    /// Facts of the child of `owner` that has this name, in its own namespace.
    pub fn child_facts(&self, kind: Kind, owner: &R::Resource, name: &str) -> Option<Arc<Value>> {
        let parent = Parent::of::<R>(owner);
        let key = ObjectKey::new(parent.key.namespace.clone(), name);
        let record = self.caches.children(kind)?.get(&key)?;
        record.belongs_to(&key, &parent).then(|| record.facts.clone())
    }

    /// Names and facts of the objects of `kind` for which [`Targets::Named`](crate::Targets::Named) named `target`.
    /// What these say is as good as whoever may write them.
    pub fn facts_about(&self, kind: Kind, target: &ObjectKey) -> Vec<(ObjectKey, Arc<Value>)> {
        let related = self.caches.of_kind(kind).filter(|cache| !cache.is_owned());
        let found = related.flat_map(|cache| cache.of_target(target));
        found.map(|(key, record)| (key, record.facts.clone())).collect()
    }

    /// Names and facts of all objects of `kind`.
    pub fn all_facts(&self, kind: Kind) -> Vec<(ObjectKey, Arc<Value>)> {
        let found = self.caches.of_kind(kind).flat_map(|cache| cache.all());
        found.map(|(key, record)| (key, record.facts.clone())).collect()
    }

    /// The same of those objects alone that are looked at and are nobody's children: where a kind is watched as both,
    /// there may be one child for each resource, and few of the others.
    pub fn related_facts(&self, kind: Kind) -> Vec<(ObjectKey, Arc<Value>)> {
        let related = self.caches.of_kind(kind).filter(|cache| !cache.is_owned());
        let found = related.flat_map(|cache| cache.all());
        found.map(|(key, record)| (key, record.facts.clone())).collect()
    }

    /// Names of objects of `kind` that change from now on: of a watched kind, or of the reconciled one. An empty name
    /// means that any may have changed.
    pub fn changes(&self, kind: Kind) -> BoxStream<'static, ObjectKey> {
        let watched = self
            .caches
            .of_kind(kind)
            .map(|cache| cache.changes.listen().boxed());
        let own = (self.identity.kind == kind).then(|| self.resources.changes.listen().boxed());
        futures::stream::select_all(watched.chain(own)).boxed()
    }

    /// Whether the API server serves `kind`. A kind that is not watched counts as not served.
    pub fn is_served(&self, kind: Kind) -> bool {
        self.caches
            .of_kind(kind)
            .any(|cache| cache.serving() == Serving::Served)
    }
}

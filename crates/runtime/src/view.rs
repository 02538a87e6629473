//! What `observe` may read: the caches.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures::{StreamExt, stream::BoxStream};
use idp_core::Kind;
use kube::core::DynamicObject;
use serde_json::Value;

use crate::{
    applier::Parent,
    cache::Serving,
    caches::Caches,
    identity::Identity,
    part::Assembly,
    reconcile::{ObjectKey, Reconcile},
    record::Record,
    resources::Resources,
};

/// The caches, for reading. Nothing here sends a request.
pub struct View<R: Reconcile> {
    pub(crate) caches: Arc<Caches>,
    pub(crate) resources: Arc<Resources<R::Resource>>,
    pub(crate) identity: Identity,
    /// How many entries lists have handed out.
    pub(crate) visited: Arc<AtomicU64>,
}

impl<R: Reconcile> Clone for View<R> {
    fn clone(&self) -> Self {
        Self {
            caches: self.caches.clone(),
            resources: self.resources.clone(),
            identity: self.identity,
            visited: self.visited.clone(),
        }
    }
}

impl<R: Reconcile> View<R> {
    /// A view of what is given and of nothing else, without a cluster: `objects` are of the kinds that the controller
    /// watches.
    pub fn offline(
        controller: &R,
        resources: impl IntoIterator<Item = R::Resource>,
        objects: impl IntoIterator<Item = DynamicObject>,
    ) -> Self {
        let view = Assembly::<R>::view_of(controller);
        for cache in view.caches.iter() {
            cache.relist_began();
        }
        for resource in resources {
            view.resources.observe(resource);
        }
        for object in objects {
            let types = object.types.clone().unwrap_or_default();
            let caches = view.caches.iter();
            caches
                .filter(|cache| cache.watch.kind.kind == types.kind)
                .filter(|cache| cache.watch.kind.api_version() == types.api_version)
                .for_each(|cache| {
                    cache.observe(object.clone());
                });
        }
        for cache in view.caches.iter() {
            cache.relist_done();
        }
        view
    }

    /// One of the resources that are reconciled.
    pub fn resource(&self, key: &ObjectKey) -> Option<Arc<R::Resource>> {
        self.resources.get(key)
    }

    /// All resources that are reconciled: for what concerns all of them. A reconcile asks [`Self::resources_by`].
    pub fn resources(&self) -> Vec<Arc<R::Resource>> {
        self.counted(self.resources.all())
    }

    /// Those of a namespace, sorted by name.
    pub fn resources_in(&self, namespace: &str) -> Vec<Arc<R::Resource>> {
        self.counted(self.resources.in_namespace(namespace))
    }

    /// Those that are looked up by `term` ([`Reconcile::terms`]), sorted by namespace and name.
    pub fn resources_by(&self, term: &str) -> Vec<Arc<R::Resource>> {
        self.counted(self.resources.by(term))
    }

    /// How many entries all lists have handed out: what a test compares, to show that the cost of a reconcile does not
    /// grow with the number of others.
    pub fn visited(&self) -> u64 {
        self.visited.load(Ordering::Relaxed)
    }

    fn counted<T>(&self, found: Vec<T>) -> Vec<T> {
        self.visited.fetch_add(found.len() as u64, Ordering::Relaxed);
        found
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
        let found = owned.flat_map(|cache| cache.of_target(&parent.key)).collect();
        let mut found = self.counted(found);
        found.retain(|(key, record)| record.belongs_to(key, &parent));
        facts(found)
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
        facts(self.counted(related.flat_map(|cache| cache.of_target(target)).collect()))
    }

    /// Names and facts of the objects of `kind` that are looked up by `term` ([`Watch::terms`](crate::Watch::terms)).
    pub fn facts_by(&self, kind: Kind, term: &str) -> Vec<(ObjectKey, Arc<Value>)> {
        let found = self.caches.of_kind(kind).flat_map(|cache| cache.by(term));
        facts(self.counted(found.collect()))
    }

    /// Names and facts of all objects of `kind`.
    pub fn all_facts(&self, kind: Kind) -> Vec<(ObjectKey, Arc<Value>)> {
        let found = self.caches.of_kind(kind).flat_map(|cache| cache.all());
        facts(self.counted(found.collect()))
    }

    /// The same of those objects alone that are looked at and are nobody's children: where a kind is watched as both,
    /// there may be one child for each resource, and few of the others.
    pub fn related_facts(&self, kind: Kind) -> Vec<(ObjectKey, Arc<Value>)> {
        let related = self.caches.of_kind(kind).filter(|cache| !cache.is_owned());
        facts(self.counted(related.flat_map(|cache| cache.all()).collect()))
    }

    /// Names of objects of `kind` that change from now on: of a watched kind, or of the reconciled one.
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

fn facts(records: Vec<(ObjectKey, Arc<Record>)>) -> Vec<(ObjectKey, Arc<Value>)> {
    let facts = |(key, record): (ObjectKey, Arc<Record>)| (key, record.facts.clone());
    records.into_iter().map(facts).collect()
}

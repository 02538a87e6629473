//! The caches, as `observe` reads them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures::{StreamExt, stream::BoxStream};
use idp_core::{Kind, ObjectKey};
use kube::{ResourceExt, core::DynamicObject};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    object::{identity::Identity, parent::Parent},
    store::{
        entry::Entry,
        facts::{FactsError, read},
        kind_store::Serving,
        primary::PrimaryStore,
        stores::Stores,
        watch::Watch,
    },
};

/// The caches, for reading. Nothing here sends a request.
pub struct View<K> {
    pub(crate) caches: Arc<Stores>,
    pub(crate) resources: Arc<PrimaryStore<K>>,
    pub(crate) identity: Identity,
    /// Namespaces besides its own in which children of a resource are planned.
    elsewhere: fn(&K) -> Vec<String>,
    /// How many entries lists have returned.
    visited: Arc<AtomicU64>,
}

impl<K> Clone for View<K> {
    fn clone(&self) -> Self {
        Self {
            caches: self.caches.clone(),
            resources: self.resources.clone(),
            identity: self.identity,
            elsewhere: self.elsewhere,
            visited: self.visited.clone(),
        }
    }
}

impl<K: ResourceExt> View<K> {
    /// Empty caches of these kinds and of the resources, which are found by their `terms`.
    pub(crate) fn new(
        identity: Identity,
        watches: Vec<Watch>,
        terms: fn(&K) -> Vec<String>,
        elsewhere: fn(&K) -> Vec<String>,
    ) -> Self {
        Self {
            caches: Arc::new(Stores::new(watches, identity)),
            resources: Arc::new(PrimaryStore::new(terms)),
            identity,
            elsewhere,
            visited: Arc::default(),
        }
    }

    /// Fills the caches with these resources and objects, without a cluster.
    pub(crate) fn fill(
        &self,
        resources: impl IntoIterator<Item = K>,
        objects: impl IntoIterator<Item = DynamicObject>,
    ) {
        for cache in self.caches.iter() {
            cache.relist_began();
        }
        for resource in resources {
            self.resources.observe(resource);
        }
        for object in objects {
            let types = object.types.clone().unwrap_or_default();
            let caches = self.caches.iter();
            caches
                .filter(|cache| cache.watch.kind.kind == types.kind)
                .filter(|cache| cache.watch.kind.api_version() == types.api_version)
                .for_each(|cache| {
                    cache.observe(object.clone());
                });
        }
        for cache in self.caches.iter() {
            cache.relist_done();
        }
    }

    /// `resource` as the parent of its children.
    pub(crate) fn parent(&self, resource: &K) -> Parent {
        Parent::new(resource, (self.elsewhere)(resource))
    }

    /// One of the resources that are reconciled.
    pub fn resource(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.resources.get(key)
    }

    /// All resources that are reconciled. A reconcile uses [`Self::resources_by`] instead.
    pub fn resources(&self) -> Vec<Arc<K>> {
        self.counted(self.resources.all())
    }

    /// The resources of a namespace, sorted by name.
    pub fn resources_in(&self, namespace: &str) -> Vec<Arc<K>> {
        self.counted(self.resources.in_namespace(namespace))
    }

    /// The resources found by `term` ([`Reconcile::terms`](crate::Reconcile::terms)), sorted by namespace and name.
    pub fn resources_by(&self, term: &str) -> Vec<Arc<K>> {
        self.counted(self.resources.by(term))
    }

    /// How many entries all lists have returned: a test compares this, to show that the cost of a reconcile does not grow
    /// with the number of other resources.
    pub fn visited(&self) -> u64 {
        self.visited.load(Ordering::Relaxed)
    }

    fn counted<T>(&self, found: Vec<T>) -> Vec<T> {
        self.visited.fetch_add(found.len() as u64, Ordering::Relaxed);
        found
    }

    /// The facts of one object, whoever owns it; `None` if it does not exist or is not watched.
    pub fn facts(&self, kind: Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let key = ObjectKey::new(namespace, name);
        self.caches
            .of_kind(kind)
            .find_map(|cache| cache.get(&key))
            .map(|entry| entry.facts.clone())
    }

    /// The facts of one object as a `T`.
    pub fn read<T: DeserializeOwned>(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
    ) -> Option<Result<T, FactsError>> {
        let facts = self.facts(kind, namespace, name)?;
        Some(read(kind, &ObjectKey::new(namespace, name), &facts))
    }

    /// Names and facts of all objects of `kind`, sorted; each as a `T`, or the error.
    pub fn read_all<T: DeserializeOwned>(&self, kind: Kind) -> Vec<(ObjectKey, Result<T, FactsError>)> {
        let mut all = self.all_facts(kind);
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        let read = |(key, facts): (ObjectKey, Arc<Value>)| {
            let read = read(kind, &key, &facts);
            (key, read)
        };
        all.into_iter().map(read).collect()
    }

    /// Names and facts of the children of `owner`, sorted: objects of `kind` with its UID, in namespaces where such children
    /// are planned. Objects that only have its name are not included.
    ///
    /// # Errors
    /// When the facts of one of them cannot be read.
    pub fn children<T: DeserializeOwned>(
        &self,
        kind: Kind,
        owner: &K,
    ) -> Result<Vec<(ObjectKey, T)>, FactsError> {
        let parent = self.parent(owner);
        let owned = self.caches.of_kind(kind).filter(|cache| cache.is_owned());
        let found = owned.flat_map(|cache| cache.of_target(&parent.key)).collect();
        let mut found = self.counted(found);
        found.retain(|(key, entry)| entry.belongs_to(key, &parent));
        typed(kind, found)
    }

    /// The child of `owner` with this name, in the namespace of `owner`.
    ///
    /// # Errors
    /// When its facts cannot be read.
    pub fn child<T: DeserializeOwned>(
        &self,
        kind: Kind,
        owner: &K,
        name: &str,
    ) -> Result<Option<T>, FactsError> {
        let parent = self.parent(owner);
        let key = ObjectKey::new(parent.key.namespace.clone(), name);
        let cache = self.caches.children(kind);
        let entry = cache.and_then(|cache| cache.get(&key));
        let own = entry.filter(|entry| entry.belongs_to(&key, &parent));
        own.map(|entry| read(kind, &key, &entry.facts)).transpose()
    }

    /// Names and facts of the objects of `kind` for which [`Targets::Named`](crate::Targets::Named) returned `target`,
    /// sorted. They are only as trustworthy as their writers.
    ///
    /// # Errors
    /// When the facts of one of them cannot be read.
    pub fn about<T: DeserializeOwned>(
        &self,
        kind: Kind,
        target: &ObjectKey,
    ) -> Result<Vec<(ObjectKey, T)>, FactsError> {
        let related = self.caches.of_kind(kind).filter(|cache| !cache.is_owned());
        let found = related.flat_map(|cache| cache.of_target(target)).collect();
        typed(kind, self.counted(found))
    }

    /// Names and facts of the objects of `kind` found by `term` ([`Watch::terms`](crate::Watch::terms)).
    pub fn facts_by(&self, kind: Kind, term: &str) -> Vec<(ObjectKey, Arc<Value>)> {
        let found = self.caches.of_kind(kind).flat_map(|cache| cache.by(term));
        facts(self.counted(found.collect()))
    }

    /// Names and facts of all objects of `kind`.
    pub fn all_facts(&self, kind: Kind) -> Vec<(ObjectKey, Arc<Value>)> {
        let found = self.caches.of_kind(kind).flat_map(|cache| cache.all());
        facts(self.counted(found.collect()))
    }

    /// Names and facts of the objects of `kind` that are not children: if a kind is watched as both, each resource may have
    /// a child, and there are few others.
    pub fn related_facts(&self, kind: Kind) -> Vec<(ObjectKey, Arc<Value>)> {
        let related = self.caches.of_kind(kind).filter(|cache| !cache.is_owned());
        facts(self.counted(related.flat_map(|cache| cache.all()).collect()))
    }

    /// [`Self::facts_by`] as `T`s, sorted.
    ///
    /// # Errors
    /// When the facts of one of them cannot be read.
    pub fn read_by<T: DeserializeOwned>(
        &self,
        kind: Kind,
        term: &str,
    ) -> Result<Vec<(ObjectKey, T)>, FactsError> {
        let found = self.caches.of_kind(kind).flat_map(|cache| cache.by(term));
        typed(kind, self.counted(found.collect()))
    }

    /// [`Self::related_facts`] as `T`s, sorted.
    ///
    /// # Errors
    /// When the facts of one of them cannot be read.
    pub fn read_related<T: DeserializeOwned>(&self, kind: Kind) -> Result<Vec<(ObjectKey, T)>, FactsError> {
        let related = self.caches.of_kind(kind).filter(|cache| !cache.is_owned());
        typed(
            kind,
            self.counted(related.flat_map(|cache| cache.all()).collect()),
        )
    }

    /// Names of objects of `kind` that change from now on; `kind` is watched, or the reconciled one.
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

fn facts(entries: Vec<(ObjectKey, Arc<Entry>)>) -> Vec<(ObjectKey, Arc<Value>)> {
    let facts = |(key, entry): (ObjectKey, Arc<Entry>)| (key, entry.facts.clone());
    entries.into_iter().map(facts).collect()
}

fn typed<T: DeserializeOwned>(
    kind: Kind,
    mut entries: Vec<(ObjectKey, Arc<Entry>)>,
) -> Result<Vec<(ObjectKey, T)>, FactsError> {
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    let typed = |(key, entry): (ObjectKey, Arc<Entry>)| {
        let read = read(kind, &key, &entry.facts)?;
        Ok((key, read))
    };
    entries.into_iter().map(typed).collect()
}

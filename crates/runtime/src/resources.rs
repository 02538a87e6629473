//! The resources that are reconciled: the newest version of each that is known.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use kube::ResourceExt;
use tokio::sync::watch;

use crate::{changes::Changes, index::Index, reconcile::ObjectKey, record::resource_version};

/// What an event meant.
pub(crate) enum Change<K> {
    /// Nothing new.
    Known,
    /// It must be reconciled. `respecified` holds the version before when the spec changed (or the new
    /// one alone when it is new): other resources may be affected.
    Changed { respecified: Vec<Arc<K>> },
}

/// The store of resources, without managed fields.
pub(crate) struct Resources<K> {
    state: RwLock<State<K>>,
    synced: watch::Sender<bool>,
    pub(crate) changes: Changes,
    /// What a resource is looked up by, besides its namespace.
    terms: fn(&K) -> Vec<String>,
}

struct State<K> {
    all: HashMap<ObjectKey, Arc<K>>,
    namespaces: HashMap<String, BTreeSet<ObjectKey>>,
    index: Index,
    seen: Option<HashSet<ObjectKey>>,
    /// Resources whose status is being written: the event of that write may overtake its response.
    writing: HashSet<ObjectKey>,
}

impl<K> Resources<K> {
    /// None yet; each will be looked up by its `terms`.
    pub(crate) fn new(terms: fn(&K) -> Vec<String>) -> Self {
        let state = State {
            all: HashMap::new(),
            namespaces: HashMap::new(),
            index: Index::default(),
            seen: None,
            writing: HashSet::new(),
        };
        Self {
            state: RwLock::new(state),
            synced: watch::Sender::new(false),
            changes: Changes::default(),
            terms,
        }
    }
}

impl<K: ResourceExt> Resources<K> {
    pub(crate) fn get(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.read().all.get(key).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<K>> {
        self.read().all.values().cloned().collect()
    }

    /// The resources of a namespace, sorted by name.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        let state = self.read();
        let keys = state.namespaces.get(namespace).into_iter().flatten();
        keys.filter_map(|key| state.all.get(key).cloned()).collect()
    }

    /// The resources that are looked up by `term`, sorted by namespace and name.
    pub(crate) fn by(&self, term: &str) -> Vec<Arc<K>> {
        let state = self.read();
        let keys = state.index.get(term);
        keys.filter_map(|key| state.all.get(key).cloned()).collect()
    }

    pub(crate) fn keys_in(&self, namespace: &str) -> Vec<ObjectKey> {
        let state = self.read();
        state
            .namespaces
            .get(namespace)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    pub(crate) fn keys(&self) -> Vec<ObjectKey> {
        self.read().all.keys().cloned().collect()
    }

    pub(crate) fn contains(&self, key: &ObjectKey) -> bool {
        self.read().all.contains_key(key)
    }

    pub(crate) fn synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// Waits for the first complete list.
    pub(crate) async fn settled(&self) {
        // The sender lives as long as `self`, so this cannot fail.
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }

    pub(crate) fn observe(&self, mut object: K) -> Change<K> {
        object.managed_fields_mut().clear();
        let key = ObjectKey::of(&object);
        let mut state = self.write();
        if let Some(seen) = &mut state.seen {
            seen.insert(key.clone());
        }
        let old = state.all.get(&key).cloned();
        if old
            .as_ref()
            .is_some_and(|old| resource_version(&**old) >= resource_version(&object))
        {
            return Change::Known;
        }
        let new = Arc::new(object);
        state.put(key.clone(), new.clone(), self.terms);
        self.changes.announce(&key);
        let Some(old) = old else {
            return Change::Changed {
                respecified: vec![new],
            };
        };
        if old.uid() != new.uid() || old.meta().generation != new.meta().generation {
            return Change::Changed {
                respecified: vec![old, new],
            };
        }
        if state.writing.contains(&key) && same_apart_from_status(&*old, &*new) {
            // Decided by `wrote`, which knows the version that our own write got.
            return Change::Known;
        }
        Change::Changed {
            respecified: Vec::new(),
        }
    }

    pub(crate) fn vanish(&self, object: &K) -> Option<Arc<K>> {
        let key = ObjectKey::of(object);
        let mut state = self.write();
        if state
            .all
            .get(&key)
            .is_none_or(|known| known.uid() != object.uid())
        {
            return None;
        }
        self.changes.announce(&key);
        state.remove(&key)
    }

    pub(crate) fn relist_began(&self) {
        self.write().seen = Some(HashSet::new());
    }

    /// The list is complete; returns what is gone.
    pub(crate) fn relist_done(&self) -> Vec<Arc<K>> {
        let mut state = self.write();
        self.synced.send_replace(true);
        let seen = state.seen.take().unwrap_or_default();
        let gone: Vec<ObjectKey> = state
            .all
            .keys()
            .filter(|key| !seen.contains(*key))
            .cloned()
            .collect();
        gone.iter()
            .inspect(|key| self.changes.announce(key))
            .filter_map(|key| state.remove(key))
            .collect()
    }

    /// A write of `key` begins.
    pub(crate) fn writing(&self, key: &ObjectKey) {
        self.write().writing.insert(key.clone());
    }

    /// The write of `key` ended, with the object if it succeeded. Returns whether somebody else changed
    /// the resource meanwhile.
    pub(crate) fn wrote(&self, key: &ObjectKey, object: Option<K>) -> bool {
        let mut state = self.write();
        state.writing.remove(key);
        let Some(mut object) = object else { return true };
        object.managed_fields_mut().clear();
        match state.all.get(key) {
            Some(known) if resource_version(&**known) > resource_version(&object) => true,
            // Deleted meanwhile: must not come back to life.
            None => false,
            Some(_) => {
                state.put(key.clone(), Arc::new(object), self.terms);
                self.changes.announce(key);
                false
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State<K>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State<K>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> State<K> {
    fn put(&mut self, key: ObjectKey, resource: Arc<K>, terms: fn(&K) -> Vec<String>) {
        self.index.put(&key, terms(&resource));
        let known = self.all.insert(key.clone(), resource);
        if known.is_none() {
            self.namespaces
                .entry(key.namespace.clone())
                .or_default()
                .insert(key);
        }
    }

    fn remove(&mut self, key: &ObjectKey) -> Option<Arc<K>> {
        self.index.remove(key);
        if let Some(keys) = self.namespaces.get_mut(&key.namespace) {
            keys.remove(key);
            if keys.is_empty() {
                self.namespaces.remove(&key.namespace);
            }
        }
        self.all.remove(key)
    }
}

fn same_apart_from_status<K: ResourceExt>(old: &K, new: &K) -> bool {
    let (old, new) = (old.meta(), new.meta());
    old.generation == new.generation
        && old.finalizers == new.finalizers
        && old.deletion_timestamp == new.deletion_timestamp
        && old.labels == new.labels
        && old.annotations == new.annotations
}

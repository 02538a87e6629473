//! The cache of the reconciled resources: the newest known version of each.

use idp_core::ObjectKey;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use kube::{ResourceExt, core::ObjectMeta};
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    object::{
        reading::{DecodeError, Unreadable},
        version::{resource_version, version_of},
    },
    store::{changes::Changes, index::Index},
};

/// The effect of an event.
pub(crate) enum Change<K> {
    /// Nothing new.
    Known,
    /// It must be reconciled. If the spec changed, other resources may be affected: `respecified` has the old and the new
    /// version, or only the new one if there is no old one.
    Changed { respecified: Vec<Arc<K>> },
}

/// A resource that exists but cannot be read. Its last readable version still counts: it keeps its children, and no
/// other resource gets its hosts or names.
#[derive(Debug)]
pub(crate) struct UnreadableResource {
    pub(crate) metadata: ObjectMeta,
    pub(crate) error: DecodeError,
    /// Its raw status.
    pub(crate) status: Value,
    /// Whether it could be read before: then its last readable version is known, and can be finalized.
    pub(crate) was_read: bool,
}

/// The cache of resources, without managed fields.
pub(crate) struct PrimaryStore<K> {
    state: RwLock<State<K>>,
    synced: watch::Sender<bool>,
    pub(crate) changes: Changes,
    /// Terms by which a resource is found, besides its namespace.
    terms: fn(&K) -> Vec<String>,
}

struct State<K> {
    /// Includes the last readable version of those that can no longer be read, with their current metadata.
    all: HashMap<ObjectKey, Arc<K>>,
    namespaces: HashMap<String, BTreeSet<ObjectKey>>,
    index: Index,
    /// Those that cannot be read.
    ghosts: HashMap<ObjectKey, Arc<UnreadableResource>>,
    relist: Option<Relist>,
    /// Resources whose status is being written: the event of that write may overtake its response.
    writing: HashSet<ObjectKey>,
}

/// A list under way.
#[derive(Default)]
struct Relist {
    seen: HashSet<ObjectKey>,
    /// Written since the list was taken: the list may be older.
    written: HashSet<ObjectKey>,
}

impl<K: ResourceExt> State<K> {
    /// Whether this version is already known. A list is trusted whatever its versions are: after a restore of etcd they are
    /// lower than before.
    fn knows(&mut self, key: &ObjectKey, uid: Option<&str>, version: u64) -> bool {
        let listed = match &mut self.relist {
            Some(relist) => {
                relist.seen.insert(key.clone());
                !relist.written.contains(key)
            }
            None => false,
        };
        let Some(known) = self.all.get(key).map(|known| known.meta()) else {
            let ghost = self.ghosts.get(key).map(|ghost| &ghost.metadata);
            return ghost.is_some_and(|ghost| is_known(ghost, uid, version, listed));
        };
        is_known(known, uid, version, listed)
    }
}

fn is_known(known: &ObjectMeta, uid: Option<&str>, version: u64, listed: bool) -> bool {
    let mine = version_of(known);
    if listed {
        mine == version && known.uid.as_deref() == uid
    } else {
        mine >= version
    }
}

impl<K> PrimaryStore<K> {
    /// Empty; each resource will be found by its `terms`.
    pub(crate) fn new(terms: fn(&K) -> Vec<String>) -> Self {
        let state = State {
            all: HashMap::new(),
            namespaces: HashMap::new(),
            index: Index::default(),
            ghosts: HashMap::new(),
            relist: None,
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

impl<K: ResourceExt> PrimaryStore<K> {
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
        let state = self.read();
        let unknown = state.ghosts.keys().filter(|key| !state.all.contains_key(*key));
        state.all.keys().chain(unknown).cloned().collect()
    }

    pub(crate) fn contains(&self, key: &ObjectKey) -> bool {
        let state = self.read();
        state.all.contains_key(key) || state.ghosts.contains_key(key)
    }

    /// Why the resource cannot be read, if so.
    pub(crate) fn ghost(&self, key: &ObjectKey) -> Option<Arc<UnreadableResource>> {
        self.read().ghosts.get(key).cloned()
    }

    pub(crate) fn ghosts(&self) -> usize {
        self.read().ghosts.len()
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
        if state.knows(&key, object.meta().uid.as_deref(), resource_version(&object)) {
            return Change::Known;
        }
        let was_ghost = state.ghosts.remove(&key).is_some();
        let old = state.all.get(&key).cloned();
        let new = Arc::new(object);
        state.put(key.clone(), new.clone(), self.terms);
        self.changes.announce(&key);
        let Some(old) = old else {
            return Change::Changed {
                respecified: vec![new],
            };
        };
        if was_ghost || old.uid() != new.uid() || old.meta().generation != new.meta().generation {
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

    /// A resource exists but cannot be read. Its last readable version is kept.
    pub(crate) fn observe_unreadable(&self, unreadable: Unreadable<K>) -> Change<K>
    where
        K: Clone,
    {
        let key = unreadable.key();
        let Unreadable {
            mut metadata,
            error,
            rest,
            status,
        } = unreadable;
        metadata.managed_fields = None;
        let mut state = self.write();
        if state.knows(&key, metadata.uid.as_deref(), version_of(&metadata)) {
            return Change::Known;
        }
        let before = state
            .all
            .get(&key)
            .filter(|known| known.meta().uid == metadata.uid);
        let was_read = before.is_some() && state.ghosts.get(&key).is_none_or(|ghost| ghost.was_read);
        let is_new = before.is_none();
        let kept = before.map(|known| K::clone(known)).or(rest);
        state.ghosts.insert(
            key.clone(),
            Arc::new(UnreadableResource {
                metadata: metadata.clone(),
                error,
                status,
                was_read,
            }),
        );
        self.changes.announce(&key);
        let Some(mut kept) = kept else {
            state.remove(&key);
            return Change::Changed {
                respecified: Vec::new(),
            };
        };
        *kept.meta_mut() = metadata;
        let kept = Arc::new(kept);
        state.put(key, kept.clone(), self.terms);
        Change::Changed {
            respecified: if is_new { vec![kept] } else { Vec::new() },
        }
    }

    /// A resource was deleted; returns its last version, if it was known.
    pub(crate) fn observe_deletion(&self, metadata: &ObjectMeta) -> Option<Deleted<K>> {
        let key = ObjectKey::new(
            metadata.namespace.clone().unwrap_or_default(),
            metadata.name.clone().unwrap_or_default(),
        );
        let mut state = self.write();
        let known = match (state.all.get(&key), state.ghosts.get(&key)) {
            (Some(known), _) => known.meta().uid.as_ref(),
            (None, Some(ghost)) => ghost.metadata.uid.as_ref(),
            (None, None) => return None,
        };
        if known != metadata.uid.as_ref() {
            return None;
        }
        Some(self.remove(&mut state, key))
    }

    fn remove(&self, state: &mut State<K>, key: ObjectKey) -> Deleted<K> {
        self.changes.announce(&key);
        state.ghosts.remove(&key);
        let last = state.remove(&key);
        Deleted { key, last }
    }

    pub(crate) fn relist_began(&self) {
        self.write().relist = Some(Relist::default());
    }

    /// The list is complete; returns the deleted resources.
    pub(crate) fn relist_done(&self) -> Vec<Deleted<K>> {
        let mut state = self.write();
        self.synced.send_replace(true);
        let relist = state.relist.take().unwrap_or_default();
        let known = state.all.keys().chain(state.ghosts.keys());
        let gone: HashSet<ObjectKey> = known.filter(|key| !relist.seen.contains(*key)).cloned().collect();
        gone.into_iter().map(|key| self.remove(&mut state, key)).collect()
    }

    /// A write of `key` begins. It ends with [`Writing::done`], or unsuccessfully when that is dropped.
    pub(crate) fn writing(self: &Arc<Self>, key: &ObjectKey) -> Writing<K> {
        self.write().writing.insert(key.clone());
        Writing {
            resources: self.clone(),
            key: key.clone(),
        }
    }

    /// The API server's response to a write. Returns whether another writer changed the resource meanwhile.
    pub(crate) fn wrote(&self, key: &ObjectKey, mut object: K) -> bool {
        object.managed_fields_mut().clear();
        let mut state = self.write();
        state.writing.remove(key);
        if let Some(relist) = &mut state.relist {
            relist.written.insert(key.clone());
        }
        match state.all.get(key) {
            Some(known) if resource_version(&**known) > resource_version(&object) => true,
            // Deleted meanwhile: must not be added again.
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

/// A deleted resource, with its last readable version.
pub(crate) struct Deleted<K> {
    pub(crate) key: ObjectKey,
    pub(crate) last: Option<Arc<K>>,
}

/// A write under way. It also ends if the reconcile is dropped before the response.
pub(crate) struct Writing<K: ResourceExt> {
    resources: Arc<PrimaryStore<K>>,
    key: ObjectKey,
}

impl<K: ResourceExt> Writing<K> {
    /// It succeeded. Returns whether another writer changed the resource meanwhile.
    pub(crate) fn done(self, object: K) -> bool {
        self.resources.wrote(&self.key, object)
    }
}

impl<K: ResourceExt> Drop for Writing<K> {
    fn drop(&mut self) {
        self.resources.write().writing.remove(&self.key);
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

#[cfg(test)]
mod tests;

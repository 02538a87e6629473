//! The resources that are reconciled: the newest version of each that is known.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use kube::ResourceExt;
use tokio::sync::watch;

use crate::{changes::Changes, reconcile::ObjectKey, record::resource_version};

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
}

struct State<K> {
    all: HashMap<ObjectKey, Arc<K>>,
    seen: Option<HashSet<ObjectKey>>,
    /// Resources whose status is being written: the event of that write may overtake its response.
    writing: HashSet<ObjectKey>,
}

impl<K> Default for Resources<K> {
    fn default() -> Self {
        let state = State {
            all: HashMap::new(),
            seen: None,
            writing: HashSet::new(),
        };
        Self {
            state: RwLock::new(state),
            synced: watch::Sender::new(false),
            changes: Changes::default(),
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
        state.all.insert(key.clone(), new.clone());
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
        state.all.remove(&key)
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
            .filter_map(|key| state.all.remove(key))
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
                state.all.insert(key.clone(), Arc::new(object));
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

fn same_apart_from_status<K: ResourceExt>(old: &K, new: &K) -> bool {
    let (old, new) = (old.meta(), new.meta());
    old.generation == new.generation
        && old.finalizers == new.finalizers
        && old.deletion_timestamp == new.deletion_timestamp
        && old.labels == new.labels
        && old.annotations == new.annotations
}

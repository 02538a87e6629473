//! The cache of one watched kind: its entries by name and by the resource that they concern.

use idp_core::ObjectKey;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use kube::core::DynamicObject;
use tokio::sync::watch;

use crate::{
    object::identity::Identity,
    store::{
        changes::Changes,
        entry::{Coverage, Entry, PlanHash, Pool},
        index::Index,
        watch::{Targets, Watch},
    },
};

/// Whether the API server serves a kind to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serving {
    /// Not listed yet.
    Pending,
    /// Listed and watched: the entries are complete.
    Served,
    /// The kind does not exist (its CRD is not installed).
    Missing,
    /// We may not list it.
    Forbidden,
}

/// Which resources an event concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Requeue {
    /// One resource.
    One(ObjectKey),
    /// One resource, if it has this UID: an object of another namespace names it.
    Owner(ObjectKey, String),
    /// Every resource of a namespace.
    Namespace(String),
    /// Every resource.
    All,
}

/// The cache of one kind.
pub(crate) struct KindStore {
    pub(crate) watch: Watch,
    identity: Identity,
    pool: Arc<Mutex<Pool>>,
    serving: watch::Sender<Serving>,
    pub(crate) changes: Changes,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<ObjectKey, Arc<Entry>>,
    by_target: HashMap<ObjectKey, BTreeSet<ObjectKey>>,
    index: Index,
    /// Keys seen since the current (re)list began.
    seen: Option<HashSet<ObjectKey>>,
    /// Keys written since then: the list may have an older version of these.
    written: HashSet<ObjectKey>,
    /// Writes under way.
    expected: HashMap<ObjectKey, Expected>,
}

/// A write under way.
struct Expected {
    /// The event with this hash is our own: it brings nothing new.
    hash: PlanHash,
    /// UIDs deleted meanwhile: their event may overtake the response of the write.
    gone: Vec<String>,
}

impl KindStore {
    pub(crate) fn new(watch: Watch, identity: Identity, pool: Arc<Mutex<Pool>>) -> Self {
        let serving = watch::Sender::new(Serving::Pending);
        Self {
            watch,
            identity,
            pool,
            serving,
            changes: Changes::default(),
            state: RwLock::default(),
        }
    }

    /// Whether objects of this kind are children.
    pub(crate) fn is_owned(&self) -> bool {
        matches!(self.watch.targets, Targets::Owner)
    }

    pub(crate) fn serving(&self) -> Serving {
        *self.serving.borrow()
    }

    /// Waits until the first list succeeded or the kind turned out to be missing.
    pub(crate) async fn settled(&self) {
        let mut serving = self.serving.subscribe();
        // The sender lives as long as `self`, so this cannot fail.
        let _ = serving.wait_for(|serving| *serving != Serving::Pending).await;
    }

    pub(crate) fn get(&self, key: &ObjectKey) -> Option<Arc<Entry>> {
        self.read().entries.get(key).cloned()
    }

    /// The objects whose target is `target`.
    pub(crate) fn of_target(&self, target: &ObjectKey) -> Vec<(ObjectKey, Arc<Entry>)> {
        let state = self.read();
        let keys = state.by_target.get(target).into_iter().flatten();
        keys.filter_map(|key| Some((key.clone(), state.entries.get(key)?.clone())))
            .collect()
    }

    /// The objects that are looked up by `term`.
    pub(crate) fn by(&self, term: &str) -> Vec<(ObjectKey, Arc<Entry>)> {
        let state = self.read();
        let keys = state.index.get(term);
        keys.filter_map(|key| Some((key.clone(), state.entries.get(key)?.clone())))
            .collect()
    }

    pub(crate) fn all(&self) -> Vec<(ObjectKey, Arc<Entry>)> {
        self.read()
            .entries
            .iter()
            .map(|(key, entry)| (key.clone(), entry.clone()))
            .collect()
    }

    /// Announces a write, so that its own event requeues nothing. Undone by [`Self::written`], or when the returned guard
    /// is dropped, such as when the reconcile ends before the API server responds.
    pub(crate) fn expect(self: &Arc<Self>, key: &ObjectKey, hash: PlanHash) -> Expectation {
        self.write().expected.insert(
            key.clone(),
            Expected {
                hash,
                gone: Vec::new(),
            },
        );
        Expectation {
            cache: self.clone(),
            key: key.clone(),
        }
    }

    /// Read-your-writes: the API server's response becomes the entry at once. Returns the current entry, which is newer if
    /// the watch was faster; one that is already deleted counts as deleting. Also returns whether the facts of a known
    /// object changed: the plan was made without them, and the event of this write will bring nothing new.
    pub(crate) fn written(&self, key: &ObjectKey, object: DynamicObject) -> (Arc<Entry>, bool) {
        let mut entry = self.extract(object);
        let mut state = self.write();
        if state
            .expected
            .remove(key)
            .is_some_and(|expected| expected.gone.contains(&entry.uid))
        {
            entry.deleting = true;
            return (Arc::new(entry), false);
        }
        if let Some(seen) = &mut state.seen {
            // Written after the current list was taken: it exists, though the list lacks it.
            seen.insert(key.clone());
            state.written.insert(key.clone());
        }
        let old = state.entries.get(key).cloned();
        if let Some(newer) = old
            .as_ref()
            .filter(|old| old.uid == entry.uid && old.resource_version > entry.resource_version)
        {
            return (newer.clone(), false);
        }
        let entry = state.put(key.clone(), entry);
        let same_facts = |old: &Arc<Entry>| old.same_facts(&entry);
        if !old.as_ref().is_some_and(same_facts) {
            self.changes.announce(key);
        }
        let facts_changed = old.is_some_and(|old| old.uid == entry.uid && !old.same_facts(&entry));
        (entry, facts_changed)
    }

    /// Keeps the result of a comparison or a write about the fields that we own.
    pub(crate) fn set_coverage(&self, key: &ObjectKey, uid: &str, coverage: Coverage) {
        if let Some(entry) = self.write().entries.get_mut(key).filter(|entry| entry.uid == uid) {
            Arc::make_mut(entry).coverage = coverage;
        }
    }

    /// Marks an object that we deleted, so that it is not deleted twice before its events arrive.
    pub(crate) fn deletion_began(&self, key: &ObjectKey, uid: &str) {
        if let Some(entry) = self.write().entries.get_mut(key).filter(|entry| entry.uid == uid) {
            Arc::make_mut(entry).deleting = true;
        }
    }

    /// An object was added or changed.
    pub(crate) fn observe(&self, object: DynamicObject) -> Vec<Requeue> {
        let key = ObjectKey::of(&object);
        let entry = self.extract(object);
        let mut state = self.write();
        if let Some(seen) = &mut state.seen {
            seen.insert(key.clone());
        }
        let old = state.entries.get(&key).cloned();
        // A list is trusted whatever its versions are: after a restore of etcd they are lower than before.
        let listed = state.seen.is_some() && !state.written.contains(&key);
        let is_known = |old: &Arc<Entry>| {
            if listed {
                old.resource_version == entry.resource_version && old.uid == entry.uid
            } else {
                old.resource_version >= entry.resource_version
            }
        };
        if old.as_ref().is_some_and(is_known) {
            // Our own write, which is already known, or something older.
            return Vec::new();
        }
        let ours = entry.plan_hash.is_some()
            && old.as_ref().and_then(|old| old.plan_hash) != entry.plan_hash
            && state.expected.get(&key).map(|expected| expected.hash) == entry.plan_hash;
        let entry = state.put(key.clone(), entry);
        match &old {
            Some(old) if ours && old.same_facts(&entry) => return Vec::new(),
            None if ours => {
                self.changes.announce(&key);
                return Vec::new();
            }
            _ => {}
        }
        self.requeues(&key, old.as_deref(), Some(&entry))
    }

    /// An object was deleted.
    pub(crate) fn observe_deletion(&self, object: &DynamicObject) -> Vec<Requeue> {
        let key = ObjectKey::of(object);
        let mut state = self.write();
        if let (Some(expected), Some(uid)) = (state.expected.get_mut(&key), &object.metadata.uid) {
            expected.gone.push(uid.clone());
        }
        let known = state.entries.get(&key);
        if known.is_none_or(|known| Some(known.uid.as_str()) != object.metadata.uid.as_deref()) {
            // Another object has taken the name since.
            return Vec::new();
        }
        let old = state.remove(&key);
        self.requeues(&key, old.as_deref(), None)
    }

    /// A list begins: objects that it lacks are gone.
    pub(crate) fn relist_began(&self) {
        let mut state = self.write();
        state.seen = Some(HashSet::new());
        state.written.clear();
    }

    /// An object exists but could not be handled: its known entry stays.
    pub(crate) fn still_there(&self, key: &ObjectKey) {
        if let Some(seen) = &mut self.write().seen {
            seen.insert(key.clone());
        }
    }

    /// The list is complete.
    pub(crate) fn relist_done(&self) -> Vec<Requeue> {
        let mut state = self.write();
        let seen = state.seen.take().unwrap_or_default();
        let gone: Vec<ObjectKey> = state
            .entries
            .keys()
            .filter(|key| !seen.contains(*key))
            .cloned()
            .collect();
        let mut requeues: Vec<Requeue> = gone
            .into_iter()
            .flat_map(|key| {
                let old = state.remove(&key);
                self.requeues(&key, old.as_deref(), None)
            })
            .collect();
        drop(state);
        if matches!(
            self.serving.send_replace(Serving::Served),
            Serving::Missing | Serving::Forbidden
        ) {
            // The kind has just been installed: rejected children can be applied now.
            requeues.push(Requeue::All);
        }
        requeues
    }

    /// The kind is not served (any more). If the kind does not exist, neither do its objects; if we may not list it for a
    /// while (kubernetes#121635), they still exist.
    pub(crate) fn not_served(&self, why: Serving) -> Vec<Requeue> {
        if why == Serving::Missing {
            *self.write() = State::default();
        } else {
            self.write().seen = None;
        }
        match self.serving.send_replace(why) {
            Serving::Served => vec![Requeue::All],
            _ => Vec::new(),
        }
    }

    /// The extract of an object that is not (yet) in the cache.
    pub(crate) fn extract(&self, object: DynamicObject) -> Entry {
        Entry::new(object, &self.watch, &self.identity, &self.pool)
    }

    /// Resources to requeue after this change. Only changes that a reconcile would see count, so that the many status
    /// updates of a Deployment that rolls out cost nothing unless a fact changed.
    fn requeues(&self, key: &ObjectKey, old: Option<&Entry>, new: Option<&Entry>) -> Vec<Requeue> {
        let relevant = match (old, new) {
            (Some(old), Some(new)) => {
                old.uid != new.uid
                    || !old.same_facts(new)
                    || (self.is_owned()
                        && (old.plan_hash != new.plan_hash
                            || old.owned_fields != new.owned_fields
                            || old.owner != new.owner
                            || old.deleting != new.deleting))
            }
            (None, None) => false,
            _ => true,
        };
        if !relevant {
            return Vec::new();
        }
        self.changes.announce(key);
        match self.watch.targets {
            Targets::All => return vec![Requeue::All],
            Targets::Namespace => return vec![Requeue::Namespace(key.namespace.clone())],
            Targets::Owner | Targets::Named(_) => {}
        }
        let mut requeues: Vec<Requeue> = [old, new]
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let target = entry.target.clone()?;
                let owner = entry.owner.as_ref().filter(|_| self.is_owned());
                match owner.filter(|_| target.namespace != key.namespace) {
                    Some(owner) => Some(Requeue::Owner(target, owner.uid.clone())),
                    None => Some(Requeue::One(target)),
                }
            })
            .collect();
        requeues.dedup();
        requeues
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A write under way.
pub(crate) struct Expectation {
    cache: Arc<KindStore>,
    key: ObjectKey,
}

impl Drop for Expectation {
    fn drop(&mut self) {
        self.cache.write().expected.remove(&self.key);
    }
}

impl State {
    fn put(&mut self, key: ObjectKey, mut entry: Entry) -> Arc<Entry> {
        if let Some(old) = self.entries.get(&key) {
            entry.inherit(old);
            if old.target != entry.target {
                self.unlink(&key);
            }
        }
        if let Some(target) = &entry.target {
            self.by_target
                .entry(target.clone())
                .or_default()
                .insert(key.clone());
        }
        self.index.put(&key, std::mem::take(&mut entry.terms));
        let entry = Arc::new(entry);
        self.entries.insert(key, entry.clone());
        entry
    }

    fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Entry>> {
        self.unlink(key);
        self.index.remove(key);
        self.entries.remove(key)
    }

    fn unlink(&mut self, key: &ObjectKey) {
        let Some(target) = self.entries.get(key).and_then(|entry| entry.target.clone()) else {
            return;
        };
        if let Some(keys) = self.by_target.get_mut(&target) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_target.remove(&target);
            }
        }
    }
}

#[cfg(test)]
mod tests;

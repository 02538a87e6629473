//! The records of one watched kind, by name and by the resource that they concern.

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
        entry::{PlanHash, Pool, Record, Verdict},
        index::Index,
        watch::{Targets, Watch},
    },
};

/// Whether the API server serves a kind to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serving {
    /// Not listed yet.
    Pending,
    /// Listed and watched: the records are all there is.
    Served,
    /// The kind does not exist (its CRD is not installed).
    Missing,
    /// We may not list it.
    Forbidden,
}

/// Which resources an event concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
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
pub(crate) struct Cache {
    pub(crate) watch: Watch,
    identity: Identity,
    pool: Arc<Mutex<Pool>>,
    serving: watch::Sender<Serving>,
    pub(crate) changes: Changes,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    records: HashMap<ObjectKey, Arc<Record>>,
    by_target: HashMap<ObjectKey, BTreeSet<ObjectKey>>,
    index: Index,
    /// Keys seen since the current (re)list began.
    seen: Option<HashSet<ObjectKey>>,
    /// Keys written since then: of these the list may hold an older version.
    written: HashSet<ObjectKey>,
    /// Writes under way.
    expected: HashMap<ObjectKey, Expected>,
}

/// A write under way.
struct Expected {
    /// The event that brings this hash is our own: it tells nothing new.
    hash: PlanHash,
    /// UIDs deleted meanwhile: their event may overtake the response of the write.
    gone: Vec<String>,
}

impl Cache {
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

    /// Waits until the first list succeeded or the kind turned out not to be there.
    pub(crate) async fn settled(&self) {
        let mut serving = self.serving.subscribe();
        // The sender lives as long as `self`, so this cannot fail.
        let _ = serving.wait_for(|serving| *serving != Serving::Pending).await;
    }

    pub(crate) fn get(&self, key: &ObjectKey) -> Option<Arc<Record>> {
        self.read().records.get(key).cloned()
    }

    /// The objects whose target is `target`.
    pub(crate) fn of_target(&self, target: &ObjectKey) -> Vec<(ObjectKey, Arc<Record>)> {
        let state = self.read();
        let keys = state.by_target.get(target).into_iter().flatten();
        keys.filter_map(|key| Some((key.clone(), state.records.get(key)?.clone())))
            .collect()
    }

    /// The objects that are looked up by `term`.
    pub(crate) fn by(&self, term: &str) -> Vec<(ObjectKey, Arc<Record>)> {
        let state = self.read();
        let keys = state.index.get(term);
        keys.filter_map(|key| Some((key.clone(), state.records.get(key)?.clone())))
            .collect()
    }

    pub(crate) fn all(&self) -> Vec<(ObjectKey, Arc<Record>)> {
        self.read()
            .records
            .iter()
            .map(|(key, record)| (key.clone(), record.clone()))
            .collect()
    }

    /// Announces a write, so that its own event wakes nobody. Undone by [`Self::written`], or when what is returned is
    /// dropped: also where the reconcile ends before the API server answers.
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

    /// Read-your-writes: what the API server answered becomes the record at once. Returns the record
    /// that holds now, which is newer if the watch was faster; one that is gone already counts as deleting.
    /// And whether an object that was known before tells something else now: the plan was made without that, and its
    /// event will tell nothing new.
    pub(crate) fn written(&self, key: &ObjectKey, object: DynamicObject) -> (Arc<Record>, bool) {
        let mut record = self.extract(object);
        let mut state = self.write();
        if state
            .expected
            .remove(key)
            .is_some_and(|expected| expected.gone.contains(&record.uid))
        {
            record.deleting = true;
            return (Arc::new(record), false);
        }
        if let Some(seen) = &mut state.seen {
            // Written after the list under way was taken: not vanished, though the list lacks it.
            seen.insert(key.clone());
            state.written.insert(key.clone());
        }
        let old = state.records.get(key).cloned();
        if let Some(newer) = old
            .as_ref()
            .filter(|old| old.uid == record.uid && old.resource_version > record.resource_version)
        {
            return (newer.clone(), false);
        }
        let record = state.put(key.clone(), record);
        let says = |old: &Arc<Record>| old.says(&record);
        if !old.as_ref().is_some_and(says) {
            self.changes.announce(key);
        }
        let news = old.is_some_and(|old| old.uid == record.uid && !old.says(&record));
        (record, news)
    }

    /// Remembers what a comparison or a write taught about the fields that we own.
    pub(crate) fn judge(&self, key: &ObjectKey, uid: &str, verdict: Verdict) {
        if let Some(record) = self
            .write()
            .records
            .get_mut(key)
            .filter(|record| record.uid == uid)
        {
            Arc::make_mut(record).verdict = verdict;
        }
    }

    /// Marks an object that we deleted, so that it is not deleted twice before its events arrive.
    pub(crate) fn deletion_began(&self, key: &ObjectKey, uid: &str) {
        if let Some(record) = self
            .write()
            .records
            .get_mut(key)
            .filter(|record| record.uid == uid)
        {
            Arc::make_mut(record).deleting = true;
        }
    }

    /// An object was added or changed.
    pub(crate) fn observe(&self, object: DynamicObject) -> Vec<Wake> {
        let key = ObjectKey::of(&object);
        let record = self.extract(object);
        let mut state = self.write();
        if let Some(seen) = &mut state.seen {
            seen.insert(key.clone());
        }
        let old = state.records.get(&key).cloned();
        // A list is believed whatever versions it brings: after a restore of etcd they are lower than before.
        let listed = state.seen.is_some() && !state.written.contains(&key);
        let is_known = |old: &Arc<Record>| {
            if listed {
                old.resource_version == record.resource_version && old.uid == record.uid
            } else {
                old.resource_version >= record.resource_version
            }
        };
        if old.as_ref().is_some_and(is_known) {
            // Our own write, which we know already, or something older still.
            return Vec::new();
        }
        let ours = record.plan_hash.is_some()
            && old.as_ref().and_then(|old| old.plan_hash) != record.plan_hash
            && state.expected.get(&key).map(|expected| expected.hash) == record.plan_hash;
        let record = state.put(key.clone(), record);
        match &old {
            Some(old) if ours && old.says(&record) => return Vec::new(),
            None if ours => {
                self.changes.announce(&key);
                return Vec::new();
            }
            _ => {}
        }
        self.wakes(&key, old.as_deref(), Some(&record))
    }

    /// An object was deleted.
    pub(crate) fn vanish(&self, object: &DynamicObject) -> Vec<Wake> {
        let key = ObjectKey::of(object);
        let mut state = self.write();
        if let (Some(expected), Some(uid)) = (state.expected.get_mut(&key), &object.metadata.uid) {
            expected.gone.push(uid.clone());
        }
        let known = state.records.get(&key);
        if known.is_none_or(|known| Some(known.uid.as_str()) != object.metadata.uid.as_deref()) {
            // Another object has taken the name since.
            return Vec::new();
        }
        let old = state.remove(&key);
        self.wakes(&key, old.as_deref(), None)
    }

    /// A list begins: what it does not bring is gone.
    pub(crate) fn relist_began(&self) {
        let mut state = self.write();
        state.seen = Some(HashSet::new());
        state.written.clear();
    }

    /// An object is there, and nothing more can be said of it: what was known of it before still holds.
    pub(crate) fn still_there(&self, key: &ObjectKey) {
        if let Some(seen) = &mut self.write().seen {
            seen.insert(key.clone());
        }
    }

    /// The list is complete.
    pub(crate) fn relist_done(&self) -> Vec<Wake> {
        let mut state = self.write();
        let seen = state.seen.take().unwrap_or_default();
        let gone: Vec<ObjectKey> = state
            .records
            .keys()
            .filter(|key| !seen.contains(*key))
            .cloned()
            .collect();
        let mut wakes: Vec<Wake> = gone
            .into_iter()
            .flat_map(|key| {
                let old = state.remove(&key);
                self.wakes(&key, old.as_deref(), None)
            })
            .collect();
        drop(state);
        if matches!(
            self.serving.send_replace(Serving::Served),
            Serving::Missing | Serving::Forbidden
        ) {
            // The kind has just been installed: what could not be applied before can be now.
            wakes.push(Wake::All);
        }
        wakes
    }

    /// The kind is not served (any more). Where it does not exist, nothing of it does; what we may not see for a while
    /// (kubernetes#121635) is still there.
    pub(crate) fn not_served(&self, why: Serving) -> Vec<Wake> {
        if why == Serving::Missing {
            *self.write() = State::default();
        } else {
            self.write().seen = None;
        }
        match self.serving.send_replace(why) {
            Serving::Served => vec![Wake::All],
            _ => Vec::new(),
        }
    }

    /// The extract of an object that is not (yet) in the cache.
    pub(crate) fn extract(&self, object: DynamicObject) -> Record {
        Record::new(object, &self.watch, &self.identity, &self.pool)
    }

    /// Who must look again. Only what a reconcile would see counts, so that the many status updates of a
    /// Deployment on its way cost nothing unless a fact changed.
    fn wakes(&self, key: &ObjectKey, old: Option<&Record>, new: Option<&Record>) -> Vec<Wake> {
        let relevant = match (old, new) {
            (Some(old), Some(new)) => {
                old.uid != new.uid
                    || !old.says(new)
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
            Targets::All => return vec![Wake::All],
            Targets::Namespace => return vec![Wake::Namespace(key.namespace.clone())],
            Targets::Owner | Targets::Named(_) => {}
        }
        let mut wakes: Vec<Wake> = [old, new]
            .into_iter()
            .flatten()
            .filter_map(|record| {
                let target = record.target.clone()?;
                let owner = record.owner.as_ref().filter(|_| self.is_owned());
                match owner.filter(|_| target.namespace != key.namespace) {
                    Some(owner) => Some(Wake::Owner(target, owner.uid.clone())),
                    None => Some(Wake::One(target)),
                }
            })
            .collect();
        wakes.dedup();
        wakes
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
    cache: Arc<Cache>,
    key: ObjectKey,
}

impl Drop for Expectation {
    fn drop(&mut self) {
        self.cache.write().expected.remove(&self.key);
    }
}

impl State {
    fn put(&mut self, key: ObjectKey, mut record: Record) -> Arc<Record> {
        if let Some(old) = self.records.get(&key) {
            record.inherit(old);
            if old.target != record.target {
                self.unlink(&key);
            }
        }
        if let Some(target) = &record.target {
            self.by_target
                .entry(target.clone())
                .or_default()
                .insert(key.clone());
        }
        self.index.put(&key, std::mem::take(&mut record.terms));
        let record = Arc::new(record);
        self.records.insert(key, record.clone());
        record
    }

    fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Record>> {
        self.unlink(key);
        self.index.remove(key);
        self.records.remove(key)
    }

    fn unlink(&mut self, key: &ObjectKey) {
        let Some(target) = self.records.get(key).and_then(|record| record.target.clone()) else {
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

//! The work queue: the resources to reconcile, and when.
//!
//! Only one worker at a time gets a resource. If it is added during that time, it is queued again afterwards; however
//! often it is added, it is queued once.
//!
//! Changes come before resyncs: new and changed resources do not wait behind thousands of others that probably need
//! no work. Resyncs do not starve: one that has waited for [`RESYNC_PATIENCE`] takes turns with changes.
//!
//! Within a priority, namespaces take turns, and each is first in, first out: however many changes one namespace has,
//! another waits for one turn of each. One namespace alone never occupies all workers, so that slow reconciles there
//! do not block others.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use idp_core::ObjectKey;

/// How long a resync waits behind changes, before it takes turns with them.
const RESYNC_PATIENCE: Duration = Duration::from_secs(30);

/// How urgent it is to reconcile a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    /// No known change concerns it: after a restart, after a change that concerns all resources, or after a delay.
    Resync,
    /// It is new, or a change concerns it.
    Change,
}

/// The queue of one controller.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Notify,
    delays: Notify,
}

#[derive(Default)]
struct State {
    changes: Lane,
    resyncs: Lane,
    /// Whether the last resource was a resync that had waited too long: a change is next then.
    last_was_overdue: bool,
    /// The number of resources with a worker in each namespace.
    busy: HashMap<String, usize>,
    /// The maximum number of workers for one namespace; 0 is unlimited.
    share: usize,
    /// The queued resources with their priorities.
    waiting: HashMap<ObjectKey, Priority>,
    running: HashSet<ObjectKey>,
    /// Added while running.
    again: HashMap<ObjectKey, Priority>,
    delayed: BTreeSet<(Instant, ObjectKey)>,
    due: HashMap<ObjectKey, (Instant, Priority)>,
    closed: bool,
    adds: u64,
}

/// The queued resources of one priority. An entry that has moved to the other lane stays in its line until its turn,
/// and is skipped then.
#[derive(Default)]
struct Lane {
    /// Namespaces with queued resources, without duplicates, in the order of their turns.
    turns: VecDeque<String>,
    /// The queued resources of each, and since when.
    lines: HashMap<String, VecDeque<(Instant, ObjectKey)>>,
}

impl Lane {
    fn push(&mut self, key: ObjectKey) {
        let line = self.lines.entry(key.namespace.clone()).or_default();
        if line.is_empty() {
            self.turns.push_back(key.namespace.clone());
        }
        line.push_back((Instant::now(), key));
    }

    /// Since when the first waits of the namespace whose turn it is.
    fn oldest(&self) -> Option<Instant> {
        let line = self.lines.get(self.turns.front()?)?;
        line.front().map(|(since, _)| *since)
    }

    /// The first resource that `is_waiting` of the next namespace that `has_room`. Takes as many steps as there are
    /// namespaces without room, which are fewer than workers.
    fn take(
        &mut self,
        has_room: impl Fn(&String) -> bool,
        is_waiting: impl Fn(&ObjectKey) -> bool,
    ) -> Option<ObjectKey> {
        loop {
            let turn = self.turns.iter().position(&has_room)?;
            let namespace = self.turns.remove(turn)?;
            let line = self.lines.get_mut(&namespace)?;
            let key = std::iter::from_fn(|| line.pop_front()).find(|(_, key)| is_waiting(key));
            if line.is_empty() {
                self.lines.remove(&namespace);
            } else {
                self.turns.push_back(namespace);
            }
            if let Some((_, key)) = key {
                return Some(key);
            }
        }
    }
}

impl Queue {
    /// Sets the number of workers.
    pub(crate) fn workers(&self, count: usize) {
        // Few workers are not divided: each is valuable.
        self.lock().share = if count < 4 { 0 } else { count - count / 4 };
    }

    /// Adds a resource without a delay. Of two priorities the higher applies.
    pub(crate) fn add(&self, key: ObjectKey, priority: Priority) {
        if self.lock().add(key, priority) {
            self.changed.notify_one();
        }
    }

    /// Adds a resource after a delay. Of two delays the shorter applies.
    pub(crate) fn add_after(&self, key: ObjectKey, delay: Duration, priority: Priority) {
        let at = Instant::now() + delay;
        let mut state = self.lock();
        match state.due.get(&key).copied() {
            Some((earlier, _)) if earlier <= at => return,
            Some((later, _)) => {
                state.delayed.remove(&(later, key.clone()));
            }
            None => {}
        }
        state.due.insert(key.clone(), (at, priority));
        state.delayed.insert((at, key));
        drop(state);
        self.delays.notify_one();
    }

    /// The next resource; `None` once the queue is closed. Call [`Self::done`] with it afterwards.
    pub(crate) async fn next(&self) -> Option<ObjectKey> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.lock();
                if state.closed {
                    return None;
                }
                if let Some(key) = state.take() {
                    state.cancel_delay(&key);
                    state.running.insert(key.clone());
                    if !state.waiting.is_empty() {
                        self.changed.notify_one();
                    }
                    return Some(key);
                }
            }
            changed.await;
        }
    }

    /// Reports that work on `key` has ended.
    pub(crate) fn done(&self, key: &ObjectKey) {
        let mut state = self.lock();
        state.running.remove(key);
        state.leave(&key.namespace);
        if let Some(priority) = state.again.remove(key) {
            state.add(key.clone(), priority);
        }
        // Even if nothing was added: the namespace may have used all its workers until now.
        let waits = !state.waiting.is_empty();
        drop(state);
        if waits {
            self.changed.notify_one();
        }
    }

    /// Cancels the delay of a deleted resource.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        self.lock().cancel_delay(key);
    }

    /// Stops handing out resources.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
        // Also wakes a worker that is just about to wait.
        self.changed.notify_one();
    }

    /// The number of queued resources, without those that are delayed, and the total number of adds.
    pub(crate) fn depth(&self) -> (usize, u64) {
        let state = self.lock();
        (state.waiting.len(), state.adds)
    }

    /// Adds delayed resources when they are due. Never returns.
    pub(crate) async fn run_delays(&self) {
        loop {
            let changed = self.delays.notified();
            let next = self.release_due();
            match next {
                Some(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at) => {}
                        () = changed => {}
                    }
                }
                None => changed.await,
            }
        }
    }

    fn release_due(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.lock();
        let mut added = false;
        while state.delayed.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = state.delayed.pop_first() else {
                break;
            };
            let priority = state
                .due
                .remove(&key)
                .map_or(Priority::Resync, |(_, priority)| priority);
            added |= state.add(key, priority);
        }
        let next = state.delayed.first().map(|(at, _)| *at);
        drop(state);
        if added {
            self.changed.notify_one();
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, key: ObjectKey, priority: Priority) -> bool {
        if self.running.contains(&key) {
            let again = self.again.entry(key).or_insert(priority);
            *again = priority.max(*again);
            return false;
        }
        let known = self.waiting.get(&key).copied();
        if known.is_some_and(|known| known >= priority) {
            return false;
        }
        self.waiting.insert(key.clone(), priority);
        self.adds += u64::from(known.is_none());
        let lane = match priority {
            Priority::Change => &mut self.changes,
            Priority::Resync => &mut self.resyncs,
        };
        lane.push(key);
        true
    }

    /// The next resource: a change if there is one, or a resync that has waited too long.
    fn take(&mut self) -> Option<ObjectKey> {
        let long = |since: Instant| since.elapsed() >= RESYNC_PATIENCE;
        let early = !self.last_was_overdue && self.resyncs.oldest().is_some_and(long);
        let lanes = if early {
            [Priority::Resync, Priority::Change]
        } else {
            [Priority::Change, Priority::Resync]
        };
        let key = lanes.into_iter().find_map(|lane| self.take_of(lane))?;
        self.last_was_overdue = early;
        self.waiting.remove(&key);
        *self.busy.entry(key.namespace.clone()).or_default() += 1;
        Some(key)
    }

    fn take_of(&mut self, priority: Priority) -> Option<ObjectKey> {
        let lane = match priority {
            Priority::Change => &mut self.changes,
            Priority::Resync => &mut self.resyncs,
        };
        let (share, busy, waiting) = (self.share, &self.busy, &self.waiting);
        let has_room =
            |namespace: &String| share == 0 || busy.get(namespace).copied().unwrap_or_default() < share;
        lane.take(has_room, |key| waiting.get(key) == Some(&priority))
    }

    /// Work on a resource of the namespace has ended.
    fn leave(&mut self, namespace: &str) {
        if let Some(busy) = self.busy.get_mut(namespace) {
            *busy -= 1;
            if *busy == 0 {
                self.busy.remove(namespace);
            }
        }
    }

    fn cancel_delay(&mut self, key: &ObjectKey) {
        if let Some((at, _)) = self.due.remove(key) {
            self.delayed.remove(&(at, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests;

//! The work queue: which resources are to be reconciled, and when.
//!
//! A resource is never handed out twice at a time. One that is added while it is being worked on is
//! handed out again afterwards; however often it is added, it waits only once.
//!
//! Namespaces take turns, and inside of one who came first is served first: however much changes in one namespace,
//! another waits for one turn of each. And one alone never has all workers, or what is slow there would hold up others.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use idp_core::ObjectKey;

/// The queue of one controller.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Notify,
    delays: Notify,
}

#[derive(Default)]
struct State {
    /// Namespaces in which something waits, in the order of their turns; a namespace is in it once.
    turns: VecDeque<String>,
    /// What waits in each of them.
    lines: HashMap<String, VecDeque<ObjectKey>>,
    /// How many are being worked on in each namespace.
    busy: HashMap<String, usize>,
    /// How many workers one namespace may have at a time; 0 is any number.
    share: usize,
    waiting: HashSet<ObjectKey>,
    running: HashSet<ObjectKey>,
    /// Added while running.
    again: HashSet<ObjectKey>,
    delayed: BTreeSet<(Instant, ObjectKey)>,
    due: HashMap<ObjectKey, Instant>,
    closed: bool,
    adds: u64,
}

impl Queue {
    /// There are this many workers.
    pub(crate) fn workers(&self, count: usize) {
        // Of very few workers each counts; and what is slow in one namespace is rare.
        self.lock().share = if count < 4 { 0 } else { count - count / 4 };
    }

    /// Adds a resource, to be handed out as soon as possible.
    pub(crate) fn add(&self, key: ObjectKey) {
        if self.lock().add(key) {
            self.changed.notify_one();
        }
    }

    /// Adds a resource after a delay. The earlier of two delays counts.
    pub(crate) fn add_after(&self, key: ObjectKey, delay: Duration) {
        let at = Instant::now() + delay;
        let mut state = self.lock();
        match state.due.get(&key).copied() {
            Some(earlier) if earlier <= at => return,
            Some(later) => {
                state.delayed.remove(&(later, key.clone()));
            }
            None => {}
        }
        state.due.insert(key.clone(), at);
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
                    state.waiting.remove(&key);
                    state.cancel_delay(&key);
                    state.running.insert(key.clone());
                    if !state.turns.is_empty() {
                        self.changed.notify_one();
                    }
                    return Some(key);
                }
            }
            changed.await;
        }
    }

    /// Work on `key` ended.
    pub(crate) fn done(&self, key: &ObjectKey) {
        let mut state = self.lock();
        state.running.remove(key);
        state.leave(&key.namespace);
        if state.again.remove(key) {
            state.add(key.clone());
        }
        // Also when nothing is added: the namespace may have had its share until now.
        let waits = !state.turns.is_empty();
        drop(state);
        if waits {
            self.changed.notify_one();
        }
    }

    /// Forgets the delay of a resource that is gone.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        self.lock().cancel_delay(key);
    }

    /// No more work is handed out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
        // Also a worker that is just about to wait.
        self.changed.notify_one();
    }

    /// How many resources wait (delays not counted), and how many were ever added.
    pub(crate) fn depth(&self) -> (usize, u64) {
        let state = self.lock();
        (state.waiting.len(), state.adds)
    }

    /// Moves delayed resources over when their time has come. Runs for ever.
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
            state.due.remove(&key);
            added |= state.add(key);
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
    fn add(&mut self, key: ObjectKey) -> bool {
        if self.running.contains(&key) {
            self.again.insert(key);
            return false;
        }
        if !self.waiting.insert(key.clone()) {
            return false;
        }
        self.adds += 1;
        let line = self.lines.entry(key.namespace.clone()).or_default();
        if line.is_empty() {
            self.turns.push_back(key.namespace.clone());
        }
        line.push_back(key);
        true
    }

    /// The first of the namespace whose turn it is; one that has its share of workers lets others pass. Costs as many
    /// steps as there are namespaces with a full share, which are fewer than workers.
    fn take(&mut self) -> Option<ObjectKey> {
        let has_room = |namespace: &String| {
            self.share == 0 || self.busy.get(namespace).copied().unwrap_or_default() < self.share
        };
        let turn = self.turns.iter().position(has_room)?;
        let namespace = self.turns.remove(turn)?;
        let line = self.lines.get_mut(&namespace)?;
        let key = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&namespace);
        } else {
            self.turns.push_back(namespace.clone());
        }
        *self.busy.entry(namespace).or_default() += 1;
        key
    }

    /// One of the namespace is done.
    fn leave(&mut self, namespace: &str) {
        if let Some(busy) = self.busy.get_mut(namespace) {
            *busy -= 1;
            if *busy == 0 {
                self.busy.remove(namespace);
            }
        }
    }

    fn cancel_delay(&mut self, key: &ObjectKey) {
        if let Some(at) = self.due.remove(key) {
            self.delayed.remove(&(at, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("shop", name)
    }

    #[tokio::test]
    async fn a_key_waits_once_and_is_never_worked_on_twice_at_a_time() {
        let queue = Queue::default();
        queue.add(key("a"));
        queue.add(key("a"));
        queue.add(key("b"));
        assert_eq!(queue.next().await, Some(key("a")));
        queue.add(key("a"));
        assert_eq!(queue.next().await, Some(key("b")));
        assert_eq!(queue.depth().0, 0, "`a` waits until it is done");
        queue.done(&key("a"));
        assert_eq!(queue.next().await, Some(key("a")));
    }

    #[tokio::test]
    async fn whoever_has_much_waits_behind_whoever_has_little() {
        let queue = Queue::default();
        let keys = |namespace: &'static str, count| {
            (0..count).map(move |n| ObjectKey::new(namespace, n.to_string()))
        };
        keys("busy", 2_000).for_each(|key| queue.add(key));
        keys("quiet", 3).for_each(|key| queue.add(key));
        assert_eq!(queue.depth(), (2_003, 2_003));
        let mut quiet = Vec::new();
        for turn in 0..2_003 {
            let key = queue.next().await.unwrap();
            if key.namespace == "quiet" {
                quiet.push((turn, key.name.clone()));
            }
            queue.done(&key);
        }
        // Every second turn, and in the order in which they came; before namespaces took turns: 2000, 2001, 2002.
        assert_eq!(
            quiet,
            [(1, "0".to_owned()), (3, "1".to_owned()), (5, "2".to_owned())]
        );
        assert_eq!(queue.depth().0, 0);
        assert!(
            queue.lock().lines.is_empty() && queue.lock().busy.is_empty(),
            "nothing is left"
        );
    }

    /// The longest that the quiet namespace waits in 20 changes, beside this many objects that change all the time.
    async fn longest_wait(busy: usize) -> Duration {
        const RECONCILE: Duration = Duration::from_millis(100);
        let queue = Arc::new(Queue::default());
        queue.workers(8);
        let (done, mut ended) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..8 {
            let (queue, done) = (queue.clone(), done.clone());
            tokio::spawn(async move {
                while let Some(key) = queue.next().await {
                    tokio::time::sleep(RECONCILE).await;
                    queue.done(&key);
                    if key.namespace == "busy" {
                        // It has changed again meanwhile.
                        queue.add(key);
                    } else {
                        let _ = done.send(Instant::now());
                    }
                }
            });
        }
        (0..busy).for_each(|n| queue.add(ObjectKey::new("busy", n.to_string())));
        let mut longest = Duration::ZERO;
        for n in 0..20_u64 {
            tokio::time::sleep(Duration::from_millis(1_000 + 37 * n)).await;
            let changed = Instant::now();
            queue.add(key(&n.to_string()));
            longest = longest.max(ended.recv().await.unwrap() - changed);
        }
        queue.close();
        longest
    }

    #[tokio::test(start_paused = true)]
    async fn two_thousand_busy_objects_do_not_double_the_wait_of_another_namespace() {
        let alone = longest_wait(0).await;
        let beside = longest_wait(2_000).await;
        assert!(
            beside < 2 * alone,
            "{beside:?} beside the busy one, {alone:?} alone"
        );
        println!("alone {alone:?}, beside 2000 busy ones {beside:?}");
    }

    #[tokio::test]
    async fn no_namespace_has_all_workers() {
        let queue = Queue::default();
        queue.workers(8);
        (0..100).for_each(|n| queue.add(ObjectKey::new("slow", n.to_string())));
        for _ in 0..6 {
            assert_eq!(queue.next().await.unwrap().namespace, "slow");
        }
        let more = tokio::time::timeout(Duration::from_millis(10), queue.next()).await;
        assert!(more.is_err(), "two workers are left for others");
        queue.add(key("quick"));
        assert_eq!(queue.next().await, Some(key("quick")));
        queue.done(&ObjectKey::new("slow", "0"));
        assert_eq!(
            queue.next().await.unwrap().namespace,
            "slow",
            "its share is free again"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn delays_end_in_time_and_the_earlier_counts() {
        let queue = Arc::new(Queue::default());
        let delays = queue.clone();
        tokio::spawn(async move { delays.run_delays().await });
        let began = Instant::now();
        queue.add_after(key("a"), Duration::from_secs(300));
        queue.add_after(key("a"), Duration::from_secs(10));
        queue.add_after(key("a"), Duration::from_secs(20));
        assert_eq!(queue.next().await, Some(key("a")));
        assert_eq!(began.elapsed().as_secs(), 10);
        queue.done(&key("a"));
        queue.add_after(key("a"), Duration::from_secs(300));
        queue.add(key("a"));
        assert_eq!(queue.next().await, Some(key("a")));
        queue.done(&key("a"));
        let idle = tokio::time::timeout(Duration::from_secs(1000), queue.next()).await;
        assert!(idle.is_err(), "working on a key makes its delay pointless");
    }

    #[tokio::test]
    async fn closing_ends_every_worker() {
        let queue = Arc::new(Queue::default());
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let queue = queue.clone();
                tokio::spawn(async move { queue.next().await })
            })
            .collect();
        tokio::task::yield_now().await;
        queue.close();
        for worker in workers {
            assert_eq!(worker.await.unwrap(), None);
        }
    }
}

use std::sync::Arc;

use super::{Priority::*, *};

impl Queue {
    fn is_empty(&self) -> bool {
        let state = self.lock();
        let lanes = [&state.changes, &state.resyncs];
        let idle = lanes
            .iter()
            .all(|lane| lane.lines.is_empty() && lane.turns.is_empty());
        idle && state.busy.is_empty() && state.waiting.is_empty()
    }
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("shop", name)
}

#[tokio::test]
async fn a_key_is_queued_once_and_has_one_worker_at_a_time() {
    let queue = Queue::default();
    queue.add(key("a"), Change);
    queue.add(key("a"), Change);
    queue.add(key("b"), Change);
    assert_eq!(queue.next().await, Some(key("a")));
    queue.add(key("a"), Change);
    assert_eq!(queue.next().await, Some(key("b")));
    assert_eq!(queue.depth().0, 0, "`a` waits until it is done");
    queue.done(&key("a"));
    assert_eq!(queue.next().await, Some(key("a")));
}

#[tokio::test]
async fn namespaces_take_turns() {
    let queue = Queue::default();
    let keys =
        |namespace: &'static str, count| (0..count).map(move |n| ObjectKey::new(namespace, n.to_string()));
    keys("busy", 2_000).for_each(|key| queue.add(key, Change));
    keys("quiet", 3).for_each(|key| queue.add(key, Change));
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
    assert!(queue.is_empty(), "nothing is left");
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
                    queue.add(key, Change);
                } else {
                    let _ = done.send(Instant::now());
                }
            }
        });
    }
    (0..busy).for_each(|n| queue.add(ObjectKey::new("busy", n.to_string()), Change));
    let mut longest = Duration::ZERO;
    for n in 0..20_u64 {
        tokio::time::sleep(Duration::from_millis(1_000 + 37 * n)).await;
        let changed = Instant::now();
        queue.add(key(&n.to_string()), Change);
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
async fn changes_come_before_resyncs() {
    let queue = Queue::default();
    (0..1_000).for_each(|n| queue.add(ObjectKey::new("shop", n.to_string()), Resync));
    queue.add(key("new"), Change);
    queue.add(key("500"), Change);
    queue.add(key("500"), Resync);
    assert_eq!(queue.depth(), (1_001, 1_001), "each waits once");
    assert_eq!(queue.next().await, Some(key("new")));
    assert_eq!(queue.next().await, Some(key("500")));
    // Added while it is worked on: the higher priority counts.
    queue.add(key("new"), Resync);
    queue.add(key("new"), Change);
    queue.done(&key("new"));
    assert_eq!(queue.next().await, Some(key("new")));
    let mut rest = 0;
    while queue.depth().0 > 0 {
        let next = queue.next().await.unwrap();
        assert_ne!(next, key("500"), "it has had its turn");
        queue.done(&next);
        rest += 1;
    }
    queue.done(&key("new"));
    queue.done(&key("500"));
    assert_eq!(rest, 999);
    let idle = tokio::time::timeout(Duration::from_millis(10), queue.next()).await;
    assert!(idle.is_err() && queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn resyncs_do_not_starve() {
    let queue = Queue::default();
    (0..10).for_each(|n| queue.add(ObjectKey::new("old", n.to_string()), Resync));
    let began = Instant::now();
    let mut waited = Vec::new();
    for n in 0..2_000 {
        // There is always another change.
        queue.add(key(&n.to_string()), Change);
        let next = queue.next().await.unwrap();
        if next.namespace == "old" {
            waited.push(began.elapsed());
        }
        queue.done(&next);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(waited.len(), 10);
    assert!(
        waited[0] >= RESYNC_PATIENCE && waited[9] <= RESYNC_PATIENCE + Duration::from_secs(3),
        "{waited:?}"
    );
}

#[tokio::test]
async fn no_namespace_occupies_all_workers() {
    let queue = Queue::default();
    queue.workers(8);
    (0..100).for_each(|n| queue.add(ObjectKey::new("slow", n.to_string()), Change));
    for _ in 0..6 {
        assert_eq!(queue.next().await.unwrap().namespace, "slow");
    }
    let more = tokio::time::timeout(Duration::from_millis(10), queue.next()).await;
    assert!(more.is_err(), "two workers are left for others");
    queue.add(key("quick"), Change);
    assert_eq!(queue.next().await, Some(key("quick")));
    queue.done(&ObjectKey::new("slow", "0"));
    assert_eq!(
        queue.next().await.unwrap().namespace,
        "slow",
        "its share is free again"
    );
}

#[tokio::test(start_paused = true)]
async fn delays_end_in_time_and_the_shorter_applies() {
    let queue = Arc::new(Queue::default());
    let delays = queue.clone();
    tokio::spawn(async move { delays.run_delays().await });
    let began = Instant::now();
    queue.add_after(key("a"), Duration::from_secs(300), Change);
    queue.add_after(key("a"), Duration::from_secs(10), Change);
    queue.add_after(key("a"), Duration::from_secs(20), Change);
    assert_eq!(queue.next().await, Some(key("a")));
    assert_eq!(began.elapsed().as_secs(), 10);
    queue.done(&key("a"));
    queue.add_after(key("a"), Duration::from_secs(300), Change);
    queue.add(key("a"), Change);
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

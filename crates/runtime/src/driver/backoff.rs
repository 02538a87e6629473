//! The delay before a resource is retried.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::jitter::jittered;

use idp_core::ObjectKey;

const FIRST_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_secs(300);
/// Someone may be waiting for it, and it costs two requests.
const POLL_INTERVAL: Duration = Duration::from_secs(20);

/// Consecutive failures of each resource.
#[derive(Default)]
pub(crate) struct Backoff {
    failures: Mutex<HashMap<ObjectKey, Failures>>,
}

struct Failures {
    count: u32,
    /// When the next attempt is due.
    due: Instant,
}

impl Backoff {
    /// Counts a failure and returns how long to wait: 1 s, 2 s, 4 s … 5 min. An attempt that an event triggered
    /// before the delay was over does not count: otherwise a busy resource would wait long after a short outage.
    pub(crate) fn failed(&self, key: &ObjectKey) -> Duration {
        let now = Instant::now();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let last = failures.get(key);
        if let Some(last) = last.filter(|last| now < last.due) {
            return last.due - now;
        }
        let count = last.map_or(0, |last| last.count);
        let delay = jittered(FIRST_DELAY.saturating_mul(1_u32 << count.min(16)).min(MAX_DELAY));
        let next = Failures {
            count: count.saturating_add(1),
            due: now + delay,
        };
        failures.insert(key.clone(), next);
        delay
    }

    /// The maximum delay, for failures that only a change can resolve. The change itself is an event.
    pub(crate) fn slow() -> Duration {
        jittered(MAX_DELAY)
    }

    /// The delay for failures that only a change of an unwatched object can resolve.
    pub(crate) fn poll() -> Duration {
        jittered(POLL_INTERVAL)
    }

    /// Forgets the failures of a resource.
    pub(crate) fn reset(&self, key: &ObjectKey) {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn delays_double_up_to_five_minutes_and_start_over_after_success() {
        let (backoff, key) = (Backoff::default(), ObjectKey::new("shop", "web"));
        let mut seconds = Vec::new();
        for _ in 0..12 {
            let delay = backoff.failed(&key);
            seconds.push(delay.as_secs_f64());
            tokio::time::advance(delay).await;
        }
        assert!(seconds[0] > 0.79 && seconds[0] <= 1.0);
        assert!(seconds[3] > 6.3 && seconds[3] <= 8.0);
        assert!(seconds[11] > 239.0 && seconds[11] <= 300.0);
        backoff.reset(&key);
        assert!(backoff.failed(&key) <= FIRST_DELAY);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_before_their_time_do_not_count() {
        let (backoff, key) = (Backoff::default(), ObjectKey::new("shop", "web"));
        let first = backoff.failed(&key);
        tokio::time::advance(first / 2).await;
        for _ in 0..10 {
            assert!(backoff.failed(&key) <= first / 2 + Duration::from_millis(1));
        }
    }
}

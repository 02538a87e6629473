//! Statuses that only tell of progress are held back: of what is done within a moment, one status is written.
//!
//! Nothing is lost in a crash meanwhile, as a status derives from objects. Until the first status is written a reader
//! sees none, or one of an older generation, which kstatus takes as in progress.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use idp_core::ObjectKey;

/// How long such a status is held back.
const PATIENCE: Duration = Duration::from_secs(2);

/// Since when there is a status to tell that is not written.
#[derive(Default)]
pub(crate) struct HeldStatuses(Mutex<HashMap<ObjectKey, Instant>>);

impl HeldStatuses {
    /// There is a status that only tells of progress: how much longer it is held back; `None` when it is time to write it.
    pub(crate) fn hold(&self, key: &ObjectKey) -> Option<Duration> {
        let now = Instant::now();
        let since = *self.lock().entry(key.clone()).or_insert(now);
        let rest = PATIENCE.saturating_sub(now - since);
        (!rest.is_zero()).then_some(rest)
    }

    /// The status is written, or there is nothing to tell any more.
    pub(crate) fn release(&self, key: &ObjectKey) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn progress_is_told_once_in_a_while() {
        let (held, key) = (HeldStatuses::default(), ObjectKey::new("shop", "web"));
        assert_eq!(held.hold(&key), Some(PATIENCE));
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!(
            held.hold(&key),
            Some(Duration::from_millis(500)),
            "since the first"
        );
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(held.hold(&key), None);
        assert_eq!(held.hold(&key), None, "until it is written");
        held.release(&key);
        assert_eq!(held.hold(&key), Some(PATIENCE));
        held.release(&key);
        assert!(held.lock().is_empty());
    }
}

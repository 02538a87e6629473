//! Statuses that only report progress are held back, so that work that finishes soon causes one status write.
//!
//! A crash meanwhile loses nothing, because a status derives from objects. Until the first write, readers see no status
//! or one of an older generation; kstatus treats both as in progress.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use idp_core::ObjectKey;

/// How long such a status is held back.
const PATIENCE: Duration = Duration::from_secs(2);

/// Since when each resource has had a status that is not written.
#[derive(Default)]
pub(crate) struct HeldStatuses(Mutex<HashMap<ObjectKey, Instant>>);

impl HeldStatuses {
    /// Call this with a status that only reports progress. Returns how much longer it is held back; `None` when it is
    /// time to write it.
    pub(crate) fn hold(&self, key: &ObjectKey) -> Option<Duration> {
        let now = Instant::now();
        let since = *self.lock().entry(key.clone()).or_insert(now);
        let rest = PATIENCE.saturating_sub(now - since);
        (!rest.is_zero()).then_some(rest)
    }

    /// The status was written, or is obsolete.
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
    async fn progress_is_written_after_the_patience() {
        let (held, key) = (HeldStatuses::default(), ObjectKey::new("shop", "web"));
        assert_eq!(held.hold(&key), Some(PATIENCE));
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!(
            held.hold(&key),
            Some(Duration::from_millis(500)),
            "counted from the first status"
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

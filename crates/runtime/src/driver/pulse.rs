//! Whether the loop makes progress.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long the loop may make no progress while work waits.
const STUCK_AFTER: Duration = Duration::from_secs(600);

/// When the loop last made progress.
pub(crate) struct Pulse {
    last: Mutex<Instant>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            last: Mutex::new(Instant::now()),
        }
    }
}

impl Pulse {
    /// Progress was made.
    pub(crate) fn beat(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Whether the loop is alive, given how much work waits.
    pub(crate) fn is_alive(&self, waiting: usize) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting == 0 {
            *last = Instant::now();
        }
        last.elapsed() < STUCK_AFTER
    }
}

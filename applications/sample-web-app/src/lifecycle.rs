//! Readiness.

use std::sync::atomic::{AtomicU8, Ordering};

/// A phase in the life of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Starting: the listeners are open, but the configuration is not validated.
    Starting,
    /// Ready for requests.
    Ready,
    /// Shutting down: requests are still answered, but no new ones should be sent.
    Draining,
}

/// The phase, shared by all requests.
#[derive(Debug)]
pub(crate) struct Lifecycle(AtomicU8);

impl Lifecycle {
    /// A service that is starting.
    pub(crate) fn starting() -> Self {
        Self(AtomicU8::new(Phase::Starting as u8))
    }

    /// Advances to a phase, never back, so that a stop during the start is not lost.
    pub(crate) fn advance(&self, phase: Phase) {
        self.0.fetch_max(phase as u8, Ordering::AcqRel);
    }

    /// The current phase.
    pub(crate) fn phase(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_during_the_start_is_not_forgotten() {
        let lifecycle = Lifecycle::starting();
        lifecycle.advance(Phase::Draining);
        lifecycle.advance(Phase::Ready);
        assert_eq!(lifecycle.phase(), Phase::Draining);
    }
}

//! Whether requests should be sent here.

use std::sync::atomic::{AtomicU8, Ordering};

/// A phase in the life of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not yet: the listeners are open, but the configuration is not proven.
    Starting,
    /// Requests are welcome.
    Ready,
    /// Told to stop: requests are still answered, but no more should be sent.
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

    /// Goes on to a phase, never back: a stop that comes during the start is not forgotten.
    pub(crate) fn advance(&self, phase: Phase) {
        self.0.fetch_max(phase as u8, Ordering::AcqRel);
    }

    /// The present phase.
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

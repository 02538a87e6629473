//! When to retry what failed.

use super::refusal::Refusal;

/// When to retry what failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Retry {
    /// Nothing to retry.
    No,
    /// At the slow end of the back-off: only a change helps, and that is an event.
    Slow,
    /// Every 20 s: only a change helps, of an object that is not watched.
    Poll,
    /// With back-off from its start.
    Soon,
}

impl Retry {
    /// When to retry what was refused like this.
    pub(crate) fn after(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NamespaceGone => Self::No,
            Refusal::Transient(_) => Self::Soon,
            Refusal::Unwatched(_) => Self::Poll,
            Refusal::Lasting(_) => Self::Slow,
        }
    }
}

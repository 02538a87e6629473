//! When to try again what did not work.

/// When to try again what did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Retry {
    /// Nothing to retry.
    No,
    /// At the slow end of the back-off: only a change helps, and that is an event.
    Slow,
    /// Every 20 s: the change that helps is of an object that is not watched.
    Poll,
    /// With back-off from its start.
    Soon,
}

//! One aspect of an application's readiness.

/// Whether one aspect of the application is ready, and if not, why. It becomes a condition.
pub(super) struct Concern {
    pub(super) ready: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Concern {
    pub(super) fn new(ready: bool, reason: &str, message: impl Into<String>) -> Self {
        Self {
            ready,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }
}

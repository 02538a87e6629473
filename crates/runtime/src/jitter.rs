//! Delays that differ, so that what failed together is not retried together.

use std::time::Duration;

/// `delay` shortened by up to a fifth.
pub(crate) fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(1.0 - fastrand::f64() / 5.0)
}

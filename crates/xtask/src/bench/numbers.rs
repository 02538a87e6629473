//! Summaries of what was measured.

use std::time::Duration;

/// The value that `percent` of all are not above.
pub(crate) fn percentile(values: &mut [Duration], percent: usize) -> Duration {
    values.sort_unstable();
    let index = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(index).copied().unwrap_or_default()
}

/// How many a second.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
pub(crate) fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// How many of `part` there are for each of `whole`.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
pub(crate) fn each(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let mut values: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut values, 50), Duration::from_millis(100));
        assert_eq!(percentile(&mut values, 99), Duration::from_millis(198));
        assert_eq!(percentile(&mut [], 50), Duration::ZERO);
    }
}

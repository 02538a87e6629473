//! Summaries of what was measured.

use std::time::Duration;

/// What was measured in each round. It is shown as the median and the range.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rounds(Vec<f64>);

impl Rounds {
    pub(crate) fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Of an even number of rounds, the mean of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match (sorted.get(middle), sorted.len() % 2) {
            (None, _) => f64::NAN,
            (Some(value), 1) => *value,
            (Some(value), _) => f64::midpoint(sorted[middle - 1], *value),
        }
    }

    /// `8.4 (8.1 to 8.9)`.
    pub(crate) fn shown(&self, digits: usize) -> String {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let median = self.median();
        format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
    }
}

/// The value that `percent` of all are not above.
pub(crate) fn percentile(values: &mut [Duration], percent: usize) -> Duration {
    values.sort_unstable();
    let index = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(index).copied().unwrap_or_default()
}

/// How many a second.
pub(crate) fn rate(count: usize, time: Duration) -> f64 {
    number(count) / time.as_secs_f64()
}

/// How many of `part` there are for each of `whole`.
pub(crate) fn each(part: usize, whole: usize) -> f64 {
    number(part) / number(whole)
}

/// A count, to calculate with.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}

/// Bytes in mebibytes.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// Milliseconds.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
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

    #[test]
    fn rounds_show_median_and_range() {
        let mut rounds = Rounds::default();
        for value in [3.0, 1.0, 2.04] {
            rounds.add(value);
        }
        assert_eq!(rounds.shown(1), "2.0 (1.0 to 3.0)");
        rounds.add(2.0);
        assert!((rounds.median() - 2.02).abs() < 1e-9);
    }
}

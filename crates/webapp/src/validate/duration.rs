//! Durations as tenants write them, such as `1h30m` and `0.5s`.
//!
//! kube's own type reads the same notation, but multiplies floating-point numbers, and panics where a number is too large.

use std::time::Duration;

/// Longest text: more digits than any bound needs.
const LONGEST: usize = 32;

/// The duration; `None` where it is none, or longer than a number holds.
pub(super) fn duration(text: &str) -> Option<Duration> {
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    let (mut rest, mut nanoseconds) = (text, 0_u128);
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, tail) = rest.split_at(unit_at);
        let end = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        nanoseconds = nanoseconds.checked_add(scaled(number, unit)?)?;
        rest = tail;
    }
    let seconds = u64::try_from(nanoseconds / 1_000_000_000).ok()?;
    Some(Duration::new(
        seconds,
        u32::try_from(nanoseconds % 1_000_000_000).ok()?,
    ))
}

fn scaled(number: &str, unit: &str) -> Option<u128> {
    let nanoseconds: u128 = match unit {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| -> Option<u128> {
        let all = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        all.then(|| text.parse().ok())?
    };
    let parts = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let whole = digits(whole)?.checked_mul(nanoseconds)?;
    whole.checked_add(digits(fraction)?.checked_mul(nanoseconds)? / parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_never_overflow() {
        for (text, milliseconds) in [
            ("500ms", Some(500)),
            ("1h30m", Some(5_400_000)),
            ("0.5s", Some(500)),
            ("1.25m", Some(75_000)),
            ("0s", Some(0)),
            ("", None),
            ("5", None),
            ("5 s", None),
            ("-5s", None),
            ("5d", None),
            (".5s", None),
            ("99999999999999999999999999999h", None),
            ("1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s", None),
        ] {
            let found = duration(text).map(|found| found.as_millis());
            assert_eq!(found, milliseconds, "{text}");
        }
    }
}

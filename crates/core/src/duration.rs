//! Durations in Go's notation, which Kubernetes uses: `90s`, `1h30m0s`, `0.5s`.

use std::time::Duration;

/// Nanoseconds of a second.
const NANOSECONDS: u128 = 1_000_000_000;

/// Longest text that is read, in bytes: Go's longest duration, `2562047h47m16.854775807s`, has 24.
const MAX_BYTES: usize = 32;

/// Reads a duration. `None` if the text is not one, or is longer than a `Duration` holds.
///
/// `kube::core::Duration` reads the same notation, but multiplies floating-point numbers, and panics where a number is too
/// large; `jiff` and `humantime` accept words and spaces, which Kubernetes rejects.
pub fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    if text.is_empty() || text.len() > MAX_BYTES {
        return None;
    }
    let (mut rest, mut nanoseconds) = (text, 0_u128);
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(char::is_alphabetic)?);
        let end = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        nanoseconds = nanoseconds.checked_add(scaled(number, unit)?)?;
        rest = tail;
    }
    let seconds = u64::try_from(nanoseconds / NANOSECONDS).ok()?;
    Some(Duration::new(
        seconds,
        u32::try_from(nanoseconds % NANOSECONDS).ok()?,
    ))
}

/// Whole seconds of a duration. `None` if the text is not a duration.
pub fn seconds(text: &str) -> Option<u64> {
    parse(text).map(|duration| duration.as_secs())
}

/// Nanoseconds of a number with its unit.
fn scaled(number: &str, unit: &str) -> Option<u128> {
    let nanoseconds: u128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOSECONDS,
        "m" => 60 * NANOSECONDS,
        "h" => 3600 * NANOSECONDS,
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

/// Writes seconds for people, in the largest units: `90d`, `36h`, `90m`.
pub fn text(seconds: u64) -> String {
    match seconds {
        0 => "0s".to_owned(),
        _ if seconds.is_multiple_of(86_400) && seconds >= 2 * 86_400 => format!("{}d", seconds / 86_400),
        _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// Writes seconds in the form that Go prints, such as `1m30s` or `2160h0m0s`. A controller that writes an object as a
/// whole puts each duration into this form. Written so from the start, no field changes its manager.
pub fn canonical(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
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
            ("1500us", Some(1)),
            ("2000000ns", Some(2)),
            ("0s", Some(0)),
            ("0", Some(0)),
            ("", None),
            ("5", None),
            ("5 s", None),
            ("-5s", None),
            ("5d", None),
            (".5s", None),
            ("99999999999999999999999999999h", None),
            ("1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s", None),
        ] {
            let found = parse(text).map(|found| found.as_millis());
            assert_eq!(found, milliseconds, "{text}");
        }
    }

    #[test]
    fn whole_seconds() {
        for (text, expected) in [
            ("2160h", Some(7_776_000)),
            ("2160h0m0s", Some(7_776_000)),
            ("1h30m", Some(5400)),
            ("90s", Some(90)),
            ("1.5s", Some(1)),
            ("0", Some(0)),
            ("500ms", Some(0)),
            ("", None),
            ("1", None),
            ("h", None),
            ("-1h", None),
            ("1d", None),
            ("99999999999999999999h", None),
            ("9999999999999999999h", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn for_people() {
        for (seconds, expected) in [
            (7_776_000, "90d"),
            (86_400, "24h"),
            (5400, "90m"),
            (61, "61s"),
            (0, "0s"),
        ] {
            assert_eq!(text(seconds), expected);
        }
    }

    #[test]
    fn writes_what_go_writes() {
        for (seconds, text) in [
            (0, "0s"),
            (30, "30s"),
            (90, "1m30s"),
            (60, "1m0s"),
            (3600, "1h0m0s"),
            (7_776_000, "2160h0m0s"),
        ] {
            assert_eq!(canonical(seconds), text);
        }
    }
}

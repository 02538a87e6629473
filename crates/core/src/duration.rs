//! Durations as Kubernetes writes them: `90s`, `1h30m0s`, `2160h0m0s`.

/// Seconds of a duration; `None` when it is none. Parts of a second count as nothing.
pub fn seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    if rest.is_empty() {
        return None;
    }
    if rest == "0" {
        return Some(0);
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let after = after.strip_prefix('.').map_or(after, |fraction| {
            fraction.trim_start_matches(|c: char| c.is_ascii_digit())
        });
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_alphabetic()).len();
        let (unit, next) = after.split_at(letters);
        let factor = match unit {
            "h" => 3600,
            "m" => 60,
            "s" => 1,
            "ms" | "us" | "µs" | "ns" => 0,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(factor)?)?;
        rest = next;
    }
    Some(total)
}

/// The same for people, in the largest units: `90d`, `36h`, `90m`.
pub fn text(seconds: u64) -> String {
    match seconds {
        0 => "0s".to_owned(),
        _ if seconds.is_multiple_of(86_400) && seconds >= 2 * 86_400 => format!("{}d", seconds / 86_400),
        _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// The same in the one form that Go gives back, such as `1m30s` or `2160h0m0s`. A controller that writes an object as a
/// whole puts each duration into this form; written so from the start, nothing changes hands.
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
    fn reads_what_kubernetes_writes() {
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

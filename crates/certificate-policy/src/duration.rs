//! Durations as Kubernetes writes them: `2160h`, `1h30m0s`.

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

/// The same for Kubernetes, in the form that cert-manager gives it back: `2160h0m0s`.
pub fn kubernetes(seconds: u64) -> String {
    format!("{}h{}m{}s", seconds / 3600, seconds % 3600 / 60, seconds % 60)
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
            ("0s", Some(0)),
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
        assert_eq!(kubernetes(7_776_000), "2160h0m0s");
        assert_eq!(seconds(&kubernetes(5401)), Some(5401));
        assert_eq!(text(7_776_000), "90d");
        assert_eq!(text(86_400), "24h");
        assert_eq!(text(5400), "90m");
    }
}

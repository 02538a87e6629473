//! Deadlines in headers: `grpc-timeout` tells the server how long the caller waits.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

/// The header's name.
pub(crate) const TIMEOUT: &str = "grpc-timeout";

/// The header's value. In milliseconds, because more than eight digits are not allowed.
pub(crate) fn header(left: Duration) -> Option<HeaderValue> {
    let milliseconds = left.as_millis().min(99_999_999);
    HeaderValue::try_from(format!("{milliseconds}m")).ok()
}

/// How long the caller waits. An invalid header counts as none.
pub(crate) fn of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(TIMEOUT, value.parse().unwrap());
        of(&headers)
    }

    #[test]
    fn what_is_written_is_read() {
        for left in [Duration::ZERO, Duration::from_millis(4_999)] {
            assert_eq!(read(header(left).unwrap().to_str().unwrap()), Some(left));
        }
        assert_eq!(read("2S"), Some(Duration::from_secs(2)));
        assert_eq!(read("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
    }

    #[test]
    fn nonsense_is_no_deadline() {
        assert_eq!(of(&HeaderMap::new()), None);
        for value in ["", "5", "S", "-1S", "+1S", "5s", "123456789S", "1.5S", " 5S"] {
            assert_eq!(read(value), None, "{value}");
        }
    }
}

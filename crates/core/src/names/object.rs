//! Names of Kubernetes objects.

/// Whether `name` is a DNS label as of RFC 1123: 1 to 63 lower-case letters, digits and `-`, and no `-` at either end.
pub fn is_label(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(inside)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Whether `name` is a DNS subdomain as of RFC 1123, as Kubernetes validates names of objects: parts of lower-case
/// letters, digits and `-` between dots, up to 253 characters.
pub fn is_subdomain(name: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let inside = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let is_part = |part: &str| {
        let bytes = part.as_bytes();
        is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(inside)
    };
    name.len() <= 253 && name.split('.').all(is_part)
}

/// Whether `name` is a valid path segment for the API server, for any kind: its loosest rule for names, without
/// characters that need escaping or have a meaning in a path.
pub fn is_path_segment(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~@".contains(&byte);
    (1..=253).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(inside)
}

#[cfg(test)]
mod tests {
    use super::{is_label, is_path_segment, is_subdomain};

    #[test]
    fn what_a_label_is() {
        for name in ["a", "shop-2", "0", &"a".repeat(63)] {
            assert!(is_label(name) && is_path_segment(name), "{name}");
        }
        for name in [
            "",
            "A",
            "a.b",
            "-a",
            "a-",
            "a/b",
            "ä",
            "a b",
            "a\n",
            &"a".repeat(64),
        ] {
            assert!(!is_label(name), "{name}");
        }
    }

    #[test]
    fn what_a_subdomain_is() {
        for name in ["a", "staging.eu", &"a".repeat(64), &"a.".repeat(126)[..251]] {
            assert!(is_subdomain(name), "{name}");
        }
        for name in [
            "",
            "a/b",
            "a..b",
            ".a",
            "a.-b",
            "A",
            "ä",
            &"a.".repeat(128)[..255],
        ] {
            assert!(!is_subdomain(name), "{name}");
        }
    }

    #[test]
    fn what_a_segment_is() {
        for name in ["a.b", "system:node:x", "Reader", "a_b"] {
            assert!(is_path_segment(name), "{name}");
        }
        for name in [
            "", ".", "..", "a/b", "../a", "a?b", "a#b", "a%2fb", "a b", "a\\b", "ä", "a\0", "a&b=c", "a;b",
        ] {
            assert!(!is_path_segment(name), "{name:?}");
        }
    }
}

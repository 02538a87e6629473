//! Stable hashes of JSON values.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// First 16 hexadecimal digits of the SHA-256 of the value's canonical text.
///
/// `serde_json` keeps object keys sorted (its `preserve_order` feature is off), so equal values have
/// equal text. 64 bits are enough: a collision would have to happen between two successive plans of
/// one object to have any effect.
pub fn of(value: &Value) -> String {
    text(&value.to_string())
}

/// First 16 hexadecimal digits of the SHA-256 of `text`.
pub fn text(text: &str) -> String {
    Sha256::digest(text.as_bytes())[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `name` cut so that `name-suffix` fits into `limit` characters; where it is cut, a short hash of the
/// whole keeps it unique.
pub fn bounded_name(name: &str, suffix: &str, limit: usize) -> String {
    let whole = if suffix.is_empty() {
        name.to_owned()
    } else {
        format!("{name}-{suffix}")
    };
    if whole.len() <= limit {
        return whole;
    }
    let digest = &text(&whole)[..8];
    let mut cut = limit.saturating_sub(digest.len() + 1);
    while !whole.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}-{digest}", whole[..cut].trim_end_matches(['-', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn key_order_does_not_matter() {
        assert_eq!(of(&json!({"a": 1, "b": 2})), of(&json!({"b": 2, "a": 1})));
        assert_ne!(of(&json!({"a": 1})), of(&json!({"a": 2})));
    }

    #[test]
    fn long_names_are_cut_and_stay_distinct() {
        assert_eq!(bounded_name("shop", "db", 63), "shop-db");
        let long = "a".repeat(62);
        let (one, two) = (bounded_name(&long, "one", 63), bounded_name(&long, "two", 63));
        assert!(one.len() <= 63 && two.len() <= 63);
        assert_ne!(one, two);
    }
}

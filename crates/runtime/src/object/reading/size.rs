//! The memory that an object takes.

use serde_json::{Map, Value};

use super::DecodeError;

/// Bytes of a value besides its text.
const NODE_BYTES: usize = 32;

/// The error of an object that is larger than `largest` bytes, with the path of its largest field.
pub(super) fn too_large(object: &Map<String, Value>, largest: usize) -> Option<DecodeError> {
    let spec = object.get("spec").and_then(Value::as_object);
    let total: usize = object.values().map(weight).sum();
    if total <= largest {
        return None;
    }
    let fields = spec.into_iter().flatten();
    let heaviest = fields.max_by_key(|(_, value)| weight(value));
    Some(DecodeError {
        path: heaviest
            .map(|(name, _)| format!("spec.{name}"))
            .unwrap_or_default(),
        message: format!(
            "the object has about {} KiB, most of it in this field; the limit is {} KiB",
            total / 1024,
            largest / 1024
        ),
    })
}

/// The depth is limited: see [`super::MAX_LEVELS`].
fn weight(value: &Value) -> usize {
    NODE_BYTES
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(weight).sum(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| NODE_BYTES + name.len() + weight(value))
                .sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::MAX_BYTES, *};

    fn error(spec: &Value) -> Option<DecodeError> {
        too_large(
            json!({ "spec": spec, "status": {} }).as_object().unwrap(),
            MAX_BYTES,
        )
    }

    #[test]
    fn what_is_too_large_names_the_field_that_takes_most() {
        assert_eq!(error(&json!({ "content": "x".repeat(MAX_BYTES - 1024) })), None);
        let large = error(&json!({ "image": "a", "content": "x".repeat(MAX_BYTES) })).unwrap();
        assert_eq!(large.path, "spec.content");
        // Many small values take memory too.
        let many: Vec<u8> = vec![1; MAX_BYTES / NODE_BYTES];
        assert_eq!(error(&json!({ "list": many })).unwrap().path, "spec.list");
    }
}

//! The patch of a status: one small request, and only if the status differs.

use serde_json::{Map, Value};

/// The JSON merge patch that turns `old` into `new`; `None` when they are equal.
///
/// Removed members become `null`, so that nothing of the old status remains. Lists are replaced as a whole.
pub(crate) fn merge_diff(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return Some(new.clone());
    };
    let gone = old
        .keys()
        .filter(|key| !new.contains_key(*key))
        .map(|key| (key.clone(), Value::Null));
    let changed = new.iter().filter_map(|(key, value)| {
        let patch = merge_diff(old.get(key).unwrap_or(&Value::Null), value)?;
        Some((key.clone(), patch))
    });
    Some(Value::Object(gone.chain(changed).collect::<Map<_, _>>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_diff_names_only_what_changed_and_removes_what_is_gone() {
        let old = json!({"url": "http://a", "problems": [1, 2], "replicas": {"ready": 1, "wanted": 2}});
        let new = json!({"problems": [2], "replicas": {"ready": 2, "wanted": 2}});
        let diff = json!({"url": null, "problems": [2], "replicas": {"ready": 2}});
        assert_eq!(merge_diff(&old, &new), Some(diff));
        assert_eq!(merge_diff(&new, &new), None);
        assert_eq!(merge_diff(&Value::Null, &new), Some(new));
    }
}

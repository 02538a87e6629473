//! Differences between two states of an object.

use std::collections::BTreeSet;

use idp_core::labels::PLAN_HASH;
use serde_json::{Map, Value};

/// Metadata that the API server and controllers maintain.
const BOOKKEEPING: [&str; 6] = [
    "creationTimestamp",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "uid",
];

/// Paths of the fields that differ, in order, such as `spec.template.spec.containers[0].image`.
pub(crate) fn differences(before: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(&wanted(before), &wanted(after), "", &mut found);
    found
}

/// The object without status and maintained metadata.
fn wanted(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|name, _| !BOOKKEEPING.contains(&name.as_str()));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(PLAN_HASH);
        }
        metadata.retain(|_, value| value.as_object().is_none_or(|members| !members.is_empty()));
    }
    object
}

fn walk(before: &Value, after: &Value, path: &str, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => members(before, after, path, found),
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                walk(before, after, &format!("{path}[{index}]"), found);
            }
        }
        _ if before == after => {}
        _ => found.push(path.to_owned()),
    }
}

fn members(before: &Map<String, Value>, after: &Map<String, Value>, path: &str, found: &mut Vec<String>) {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let at = |object: &Map<String, Value>| object.get(name).cloned().unwrap_or_default();
        let path = match (path.is_empty(), name.contains(['.', '/'])) {
            (true, _) => name.clone(),
            (false, false) => format!("{path}.{name}"),
            (false, true) => format!("{path}[{name}]"),
        };
        walk(&at(before), &at(after), &path, found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wanted_counts_and_nothing_else() {
        let before = json!({
            "metadata": { "name": "a", "uid": "1", "resourceVersion": "1", "generation": 1,
                "labels": { "x.dev/one": "1" }, "annotations": { PLAN_HASH: "a" }, "ownerReferences": [{}] },
            "spec": { "image": "a:1", "env": [{ "name": "A" }], "ports": [80], "kept": true },
            "status": { "replicas": 1 },
        });
        let after = json!({
            "metadata": { "name": "a", "labels": { "x.dev/one": "2" } },
            "spec": { "image": "a:2", "env": [{ "name": "B" }], "ports": [80, 81], "kept": true, "new": 1 },
        });
        assert_eq!(
            differences(&before, &after),
            [
                "metadata.labels[x.dev/one]",
                "spec.env[0].name",
                "spec.image",
                "spec.new",
                "spec.ports"
            ]
        );
        assert_eq!(differences(&before, &before), [""; 0]);
    }
}

//! Merging a patch into an object.
//!
//! k8s-openapi's `DeepMerge` merges typed objects, but a required field that is missing from a patch is zero or empty there
//! and overwrites: a patch of an autoscaler's behaviour would set `maxReplicas: 0`. So objects are merged as JSON, and
//! checked against their types afterwards.

use serde_json::{Map, Value};

/// The merge keys of a list, by its name, as in `kubectl apply`; empty for lists that are replaced as a whole. Covers the
/// lists of pods and Services.
fn keys(list: &str) -> &'static [&'static str] {
    match list {
        "containers" | "initContainers" | "volumes" | "env" | "imagePullSecrets" | "resourceClaims" => {
            &["name"]
        }
        // Of containers, and of Services.
        "ports" => &["containerPort", "port"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "hostAliases" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey"],
        _ => &[],
    }
}

/// The first field that the patch sets to `null`.
pub(super) fn removal(patch: &Value) -> Option<String> {
    let below = |name: &str, value: &Value| {
        removal(value).map(|rest| {
            if rest.is_empty() {
                name.to_owned()
            } else {
                format!("{name}.{rest}")
            }
        })
    };
    match patch {
        Value::Null => Some(String::new()),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| below(name, value)),
        Value::Array(items) => items.iter().find_map(removal),
        _ => None,
    }
}

/// The fields that the patch sets, with lists written without index. The key of an existing item only selects it; the key
/// of a new item counts as set.
pub(super) fn touched(object: &Value, patch: &Value, lists: bool) -> Vec<String> {
    let mut fields = Vec::new();
    collect(Some(object), patch, lists, "", &mut fields);
    fields
}

fn collect(object: Option<&Value>, patch: &Value, lists: bool, path: &str, fields: &mut Vec<String>) {
    match patch {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let path = join(path, name);
                let present = object.and_then(|object| object.get(name));
                match (value, if lists { keys(name) } else { &[] }) {
                    (Value::Array(items), keys @ [_, ..]) if !items.is_empty() => {
                        items
                            .iter()
                            .for_each(|item| collect_item(present, item, keys, &path, fields));
                    }
                    _ => collect(present, value, lists, &path, fields),
                }
            }
        }
        // A list without keys is replaced, whatever its items.
        _ => fields.push(path.to_owned()),
    }
}

fn collect_item(present: Option<&Value>, item: &Value, keys: &[&str], path: &str, fields: &mut Vec<String>) {
    let same = present
        .and_then(Value::as_array)
        .and_then(|all| all.iter().find(|one| is_same(one, item, keys)));
    match (same, item) {
        (Some(_), Value::Object(members)) => {
            let rest: Map<String, Value> = members
                .iter()
                .filter(|(name, _)| !keys.contains(&name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            if !rest.is_empty() {
                collect(same, &Value::Object(rest), true, path, fields);
            }
        }
        _ => collect(None, item, true, path, fields),
    }
}

/// Merges the patch into the object. On `Err`, the object field that the patch sets to a plain value.
pub(super) fn merge(object: &mut Value, patch: &Value, lists: bool) -> Result<(), String> {
    merge_at(object, patch, lists, "")
}

fn merge_at(object: &mut Value, patch: &Value, lists: bool, path: &str) -> Result<(), String> {
    match (object, patch) {
        (Value::Object(present), Value::Object(members)) => {
            for (name, value) in members {
                let path = join(path, name);
                let keys = if lists { keys(name) } else { &[] };
                match (present.get_mut(name), value) {
                    (Some(Value::Array(items)), Value::Array(new)) if !keys.is_empty() => {
                        merge_items(items, new, keys, &path)?;
                    }
                    (Some(present), _) => merge_at(present, value, lists, &path)?,
                    (None, _) => drop(present.insert(name.clone(), value.clone())),
                }
            }
            Ok(())
        }
        (Value::Object(_), _) => Err(if path.is_empty() {
            "the object".to_owned()
        } else {
            path.to_owned()
        }),
        (other, patch) => {
            *other = patch.clone();
            Ok(())
        }
    }
}

fn merge_items(items: &mut Vec<Value>, new: &[Value], keys: &[&str], path: &str) -> Result<(), String> {
    for item in new {
        match items.iter_mut().find(|present| is_same(present, item, keys)) {
            Some(present) => merge_at(present, item, true, path)?,
            None => items.push(item.clone()),
        }
    }
    Ok(())
}

/// Whether two items of a list have the same key.
fn is_same(one: &Value, other: &Value, keys: &[&str]) -> bool {
    keys.iter()
        .any(|key| one.get(key).is_some_and(|value| other.get(key) == Some(value)))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_merged_by_key_or_replaced() {
        let object = json!({"containers": [{"name": "app", "env": [{"name": "A", "value": "1"}], "args": ["x", "y"]}]});
        let patch = json!({"containers": [
            {"name": "app", "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}], "args": ["z"]},
            {"name": "helper"},
        ]});
        let mut merged = object.clone();
        merge(&mut merged, &patch, true).unwrap();
        assert_eq!(
            merged,
            json!({"containers": [
                {"name": "app", "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}], "args": ["z"]},
                {"name": "helper"},
            ]})
        );
        assert_eq!(
            touched(&object, &patch, true),
            [
                "containers.args",
                "containers.env.value",
                "containers.env.name",
                "containers.env.value",
                "containers.name"
            ]
        );
        let mut replaced = json!({"ports": [{"port": 1}, {"port": 2}]});
        merge(&mut replaced, &json!({"ports": [{"port": 1}]}), false).unwrap();
        assert_eq!(replaced, json!({"ports": [{"port": 1}]}));
    }

    #[test]
    fn empty_values_touch_their_field() {
        let object = json!({"spec": {"selector": {"a": "b"}, "args": ["x"]}});
        assert_eq!(
            touched(&object, &json!({"spec": {"selector": {}, "args": []}}), true),
            ["spec.args", "spec.selector"]
        );
        assert_eq!(
            merge(&mut object.clone(), &json!({"spec": []}), true),
            Err("spec".to_owned())
        );
    }

    #[test]
    fn removals_are_found() {
        assert_eq!(
            removal(&json!({"a": {"b": [{"c": null}]}})),
            Some("a.b.c".to_owned())
        );
        assert_eq!(removal(&json!({"a": {"b": [0, false, ""]}})), None);
    }
}

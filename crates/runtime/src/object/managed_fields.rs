//! Drift detection: a pure comparison of the desired object with the fields that we own according to `managedFields`.
//!
//! A comparison of values would always report drift, because the API server normalizes (`1000m` becomes `1`) and
//! adds defaults. Ownership does not have this problem: a writer that changes or removes a field that we applied removes
//! it from our entry in `managedFields`.

use serde_json::{Map, Value};

/// Whether `fields` (the `fieldsV1` of our manager) covers every field of `desired`.
pub(crate) fn covers(desired: &Value, fields: &Value) -> bool {
    missing(desired, fields, 1).is_empty()
}

/// Paths of `desired` that `fields` does not cover, at most `limit` of them.
pub(crate) fn missing(desired: &Value, fields: &Value, limit: usize) -> Vec<String> {
    let mut walk = Walk {
        path: Vec::new(),
        found: Vec::new(),
        limit,
    };
    let nothing = Map::new();
    if let Value::Object(desired) = desired {
        walk.object(desired, fields.as_object().unwrap_or(&nothing));
    }
    walk.found
}

/// Members that server-side apply does not track: they name the object.
fn is_tracked(path: &[String], key: &str) -> bool {
    match path {
        [] => !matches!(key, "apiVersion" | "kind"),
        [parent] if parent == "metadata" => {
            !matches!(
                key,
                "name" | "namespace" | "uid" | "resourceVersion" | "generation" | "creationTimestamp"
                // Compared by the owner's UID instead; see `record`.
                | "ownerReferences"
            )
        }
        _ => true,
    }
}

struct Walk {
    path: Vec<String>,
    found: Vec<String>,
    limit: usize,
}

impl Walk {
    fn value(&mut self, desired: &Value, fields: &Value) {
        // An empty node is a leaf or an atomic list or map: owned as a whole.
        let Some(fields) = fields.as_object().filter(|fields| !fields.is_empty()) else {
            return;
        };
        match desired {
            Value::Object(desired) => self.object(desired, fields),
            Value::Array(items) => self.list(items, fields),
            _ => {}
        }
    }

    fn object(&mut self, desired: &Map<String, Value>, fields: &Map<String, Value>) {
        for (key, value) in desired {
            if self.found.len() >= self.limit || !is_tracked(&self.path, key) {
                continue;
            }
            let node = fields.get(&format!("f:{key}"));
            self.path.push(key.clone());
            match (node, value) {
                (Some(node), value) => self.value(value, node),
                // It has no node if none of its fields is tracked.
                (None, Value::Object(inner)) if self.path == ["metadata"] => self.object(inner, &Map::new()),
                (None, _) => self.report(),
            }
            self.path.pop();
        }
    }

    fn list(&mut self, items: &[Value], fields: &Map<String, Value>) {
        for (index, item) in items.iter().enumerate() {
            if self.found.len() >= self.limit {
                return;
            }
            self.path.push(index.to_string());
            self.item(item, fields);
            self.path.pop();
        }
    }

    /// An item may match several keys if the server set a default for a key field that the item lacks (two ports
    /// that differ in a defaulted protocol). It is covered if any of them covers it.
    fn item(&mut self, item: &Value, fields: &Map<String, Value>) {
        let mut best: Option<Vec<String>> = None;
        for (_, node) in fields.iter().filter(|(key, _)| is_key_of(key, item)) {
            let mut attempt = Walk {
                path: self.path.clone(),
                found: Vec::new(),
                limit: self.limit - self.found.len(),
            };
            attempt.value(item, node);
            if attempt.found.is_empty() {
                return;
            }
            best.get_or_insert(attempt.found);
        }
        match best {
            Some(found) => self.found.extend(found),
            None => self.report(),
        }
    }

    fn report(&mut self) {
        let mut text = String::new();
        for part in &self.path {
            if part.bytes().all(|byte| byte.is_ascii_digit()) {
                text.push_str(&format!("[{part}]"));
            } else {
                text.push_str(if text.is_empty() { "" } else { "." });
                text.push_str(part);
            }
        }
        self.found.push(text);
    }
}

/// Whether a member of a list's node (`k:{"name":"app"}`, `v:"value"`) identifies `item`.
fn is_key_of(member: &str, item: &Value) -> bool {
    if let Some(key) = member.strip_prefix("k:") {
        let Ok(Value::Object(key)) = serde_json::from_str(key) else {
            return false;
        };
        // The server set a default for a key field that the item lacks, so it may have any value.
        return key
            .iter()
            .all(|(name, value)| item.get(name).is_none_or(|actual| actual == value));
    }
    member
        .strip_prefix("v:")
        .is_some_and(|value| serde_json::from_str::<Value>(value).is_ok_and(|value| value == *item))
}

#[cfg(test)]
mod tests;

//! Parses an object without the fields that do not fit its type.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::DecodeError;

/// How many fields are removed at most.
const MAX_FIELDS: usize = 16;
/// Longest message, in characters: it quotes values that anyone may have written.
const MAX_MESSAGE_CHARS: usize = 300;

/// The object without the fields that do not fit, if the rest can be parsed, and the error of the first such field.
///
/// The status is the controller's own, and is written again: one that cannot be parsed, because a newer controller wrote
/// it, is not an error of the object.
pub(super) fn read<K: DeserializeOwned>(mut object: Value) -> (Option<K>, Option<DecodeError>) {
    let mut first = None;
    for _ in 0..MAX_FIELDS {
        let error = match serde_path_to_error::deserialize::<_, K>(&object) {
            Ok(read) => return (Some(read), first),
            Err(error) => error,
        };
        let path = error.path();
        if path.iter().next().is_some_and(is_status) {
            remove(&mut object, &["status".to_owned()]);
            continue;
        }
        let message: String = error
            .inner()
            .to_string()
            .chars()
            .take(MAX_MESSAGE_CHARS)
            .collect();
        let place = shown(path);
        first.get_or_insert(DecodeError { path: place, message });
        let names: Vec<String> = path.iter().filter_map(name_of).collect();
        // An object without its spec would be another object.
        if names.len() < 2 || !remove(&mut object, &names) {
            break;
        }
    }
    (None, first)
}

fn is_status(segment: &Segment) -> bool {
    matches!(segment, Segment::Map { key } if key == "status")
}

fn shown(path: &Path) -> String {
    let text = path.to_string();
    if text == "." { String::new() } else { text }
}

fn name_of(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Map { key } => Some(key.clone()),
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// Removes the value at the path.
fn remove(object: &mut Value, names: &[String]) -> bool {
    let Some((last, way)) = names.split_last() else {
        return false;
    };
    let mut place = object;
    for name in way {
        let next = match place {
            Value::Object(members) => members.get_mut(name),
            Value::Array(elements) => name.parse().ok().and_then(|index: usize| elements.get_mut(index)),
            _ => None,
        };
        match next {
            Some(next) => place = next,
            None => return false,
        }
    }
    match place {
        Value::Object(members) => members.remove(last).is_some(),
        Value::Array(elements) => last.parse().is_ok_and(|index: usize| {
            let there = index < elements.len();
            if there {
                elements.remove(index);
            }
            there
        }),
        _ => false,
    }
}

//! Comparing planned with actual objects.

use serde_json::{Value, json};

/// Checks that `actual` contains all fields of `wanted`, in the API server's notation.
///
/// # Errors
/// The first difference, with its path. `path` is the path of the given values.
pub fn covers(wanted: &Value, actual: &Value, path: &mut String) -> Result<(), String> {
    let differs = || Err(format!("{path}: {wanted} is wanted, {actual} is there"));
    match (wanted, actual) {
        (Value::Object(wanted), Value::Object(actual)) => {
            for (key, value) in wanted {
                let length = path.len();
                path.push('.');
                path.push_str(key);
                covers(value, actual.get(key).unwrap_or(&Value::Null), path)?;
                path.truncate(length);
            }
            Ok(())
        }
        (Value::Array(wanted), Value::Array(actual)) if wanted.len() == actual.len() => {
            for (index, (wanted, actual)) in wanted.iter().zip(actual).enumerate() {
                let length = path.len();
                path.push_str(&format!("[{index}]"));
                covers(wanted, actual, path)?;
                path.truncate(length);
            }
            Ok(())
        }
        // The API server omits empty values.
        (_, Value::Null) if wanted == "" || *wanted == json!([]) || *wanted == json!({}) => Ok(()),
        (Value::String(one), Value::String(other)) if same_quantity(one, other) => Ok(()),
        _ if wanted == actual => Ok(()),
        _ => differs(),
    }
}

fn same_quantity(one: &str, other: &str) -> bool {
    one == other || quantity(one).is_some_and(|number| Some(number) == quantity(other))
}

fn quantity(text: &str) -> Option<f64> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let factor = match &text[end..] {
        "" => 1.0,
        "m" => 0.001,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(text[..end].parse::<f64>().ok()? * factor)
}

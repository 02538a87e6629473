//! The values of a template's placeholders.

use idp_api::{ClaimBindingSpec, ClaimClassSpec};
use serde_json::{Map, Value, json};

use super::placeholders::Inputs;

/// The placeholders that a class's templates may use, for one binding.
pub fn inputs(class: &ClaimClassSpec, namespace: &str, name: &str, binding: &ClaimBindingSpec) -> Inputs {
    let mut inputs = Inputs::from(
        [
            ("name", json!(name)),
            ("namespace", json!(namespace)),
            ("application", json!(binding.application)),
            ("database", json!(binding.name)),
            ("engine", json!(binding.engine)),
            ("version", json!(binding.version)),
            ("size", json!(binding.size)),
            ("versioned", json!(binding.versioned)),
            ("secret", json!(binding.secret)),
            ("environment", json!(binding.environment)),
            (
                "backup.retentionDays",
                json!(class.backup.as_ref().map(|backup| backup.retention_days)),
            ),
            (
                "backup.window",
                json!(class.backup.as_ref().map(|backup| &backup.window)),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    // A value that only some sizes have is an input without a value for the other sizes.
    let names = class
        .sizes
        .values()
        .filter_map(Value::as_object)
        .flat_map(Map::keys);
    inputs.extend(names.map(|name| (format!("size.{name}"), Value::Null)));
    let size = binding.size.as_ref().and_then(|size| class.sizes.get(size));
    for (name, value) in size.and_then(Value::as_object).into_iter().flatten() {
        inputs.insert(format!("size.{name}"), value.clone());
    }
    inputs
}

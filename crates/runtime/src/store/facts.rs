//! Typed facts. An object whose facts cannot be read is an error with its name; it never counts as missing.

use idp_core::{Kind, ObjectKey};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The facts of an object do not have the expected form: the controller and the CRD have different versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactsError {
    /// Kind of the object.
    pub kind: Kind,
    /// Its namespace and name.
    pub key: Box<ObjectKey>,
    /// The field within the facts, such as `gateway.mode`; empty for all of them.
    pub path: String,
    /// What is wrong with it.
    pub message: Box<str>,
}

impl FactsError {
    /// The error with its field path, if the facts are the field `of` of the object.
    pub fn message_at(&self, of: &str) -> String {
        match self.path.as_str() {
            "" | "." => format!("{of}: {}", self.message),
            path => format!("{of}.{path}: {}", self.message),
        }
    }
}

impl std::fmt::Display for FactsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} cannot be read: ", self.kind, self.key)?;
        match self.path.as_str() {
            "" | "." => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

impl std::error::Error for FactsError {}

/// Parses the facts of an object.
pub(crate) fn read<T: DeserializeOwned>(kind: Kind, key: &ObjectKey, facts: &Value) -> Result<T, FactsError> {
    serde_path_to_error::deserialize(facts).map_err(|error| FactsError {
        kind,
        key: Box::new(key.clone()),
        path: error.path().to_string(),
        message: error.inner().to_string().into(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MAPS: Kind = Kind::namespaced("", "v1", "ConfigMap", "configmaps");

    #[test]
    fn an_error_has_the_name_and_the_field_path() {
        #[derive(Debug, serde::Deserialize)]
        struct Inner {
            #[allow(dead_code, reason = "only whether it can be read counts")]
            b: Vec<u8>,
        }
        let key = ObjectKey::new("shop", "web");
        let error =
            read::<std::collections::BTreeMap<String, Inner>>(MAPS, &key, &json!({"a": {"b": [1, "x"]}}));
        let error = error.unwrap_err();
        assert_eq!(error.path, "a.b[1]");
        assert!(
            error
                .to_string()
                .starts_with("ConfigMap shop/web cannot be read: a.b[1]: invalid type"),
            "{error}"
        );
        assert!(error.message_at("spec").starts_with("spec.a.b[1]: invalid type"));
        let whole = read::<u8>(MAPS, &key, &json!("x")).unwrap_err();
        assert!(
            whole.message_at("spec").starts_with("spec: invalid type"),
            "{}",
            whole.message_at("spec")
        );
    }
}

//! Parses our resources from YAML. Errors name the field and what is wrong.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{GROUP, VERSION};

/// Why a text is not a valid resource of ours.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The text is not YAML; the message names line and column.
    #[error("not valid YAML: {0}")]
    Syntax(String),
    /// The `apiVersion` is not ours.
    #[error("{kind} {name}: apiVersion {found:?} is not known: write {GROUP}/{VERSION}")]
    Version {
        /// Kind of the document.
        kind: String,
        /// Name of the document.
        name: String,
        /// The value found.
        found: String,
    },
    /// A field is missing or has a wrong type.
    #[error("{kind} {name}: {path}: {message}")]
    Field {
        /// Kind of the document.
        kind: String,
        /// Name of the document.
        name: String,
        /// Path of the field.
        path: String,
        /// What is wrong with it.
        message: String,
    },
    /// The kind has no such fields.
    #[error("{kind} {name}: unknown fields {}: `kubectl explain {}` lists the known ones", .paths.join(", "), .kind.to_lowercase())]
    Unknown {
        /// Kind of the document.
        kind: String,
        /// Name of the document.
        name: String,
        /// Paths of the fields.
        paths: Vec<String>,
    },
}

/// The YAML documents of a text; empty ones are left out.
///
/// # Errors
/// When the text is not YAML.
pub fn parse(text: &str) -> Result<Vec<Value>, ManifestError> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|error| ManifestError::Syntax(error.to_string()))?;
    Ok(documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect())
}

/// The documents of one of our kinds, as typed resources; other documents are left out. A field that the kind does
/// not have is an error, as it is at the API server.
///
/// # Errors
/// The first document that does not fit.
pub fn typed<T: DeserializeOwned>(documents: &[Value], kind: &str) -> Result<Vec<T>, ManifestError> {
    let of_kind = documents.iter().filter(|document| {
        let version = document["apiVersion"].as_str().unwrap_or_default();
        document["kind"] == kind && version.split('/').next() == Some(GROUP)
    });
    of_kind.map(|document| from_value(document, kind)).collect()
}

fn from_value<T: DeserializeOwned>(document: &Value, kind: &str) -> Result<T, ManifestError> {
    let name = document["metadata"]["name"]
        .as_str()
        .unwrap_or("without a name")
        .to_owned();
    let kind = kind.to_owned();
    let found = document["apiVersion"].as_str().unwrap_or_default();
    if found != format!("{GROUP}/{VERSION}") {
        return Err(ManifestError::Version {
            kind,
            name,
            found: found.to_owned(),
        });
    }
    let mut paths = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(document, &mut track);
    let resource: Result<T, serde_json::Error> =
        serde_ignored::deserialize(tracked, |path| paths.push(path.to_string().replace(".?", "")));
    // The derived types check these two and then forget them.
    paths.retain(|path| path != "apiVersion" && path != "kind");
    match resource {
        Err(error) => Err(ManifestError::Field {
            kind,
            name,
            path: track.path().to_string(),
            message: error.to_string(),
        }),
        Ok(_) if !paths.is_empty() => Err(ManifestError::Unknown { kind, name, paths }),
        Ok(resource) => Ok(resource),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WebApplication;

    fn load(rest: &str) -> Result<Vec<WebApplication>, String> {
        let text =
            format!("apiVersion: idp.dev/v1alpha1\nkind: WebApplication\nmetadata: {{name: a}}\n{rest}\n");
        typed(&parse(&text).unwrap(), "WebApplication").map_err(|error| error.to_string())
    }

    #[test]
    fn other_kinds_are_left_out() {
        assert_eq!(load("spec: {image: x}\n---\nkind: Namespace").unwrap().len(), 1);
    }

    #[test]
    fn a_wrong_type_is_reported_with_its_path() {
        let error = load("spec: {image: x, ports: [{name: http, port: eighty}]}").unwrap_err();
        assert!(
            error.starts_with("WebApplication a: spec.ports[0].port: "),
            "{error}"
        );
    }

    #[test]
    fn misspelt_fields_are_reported_with_their_paths() {
        let error = load("spec: {image: x, rotues: [], health: {readyness: {}}}").unwrap_err();
        assert!(
            error.contains("spec.rotues, spec.health.readyness")
                || error.contains("spec.health.readyness, spec.rotues"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_version_says_which_is_known() {
        let documents = parse("apiVersion: idp.dev/v9\nkind: WebApplication\nmetadata: {name: a}").unwrap();
        let error = typed::<WebApplication>(&documents, "WebApplication")
            .unwrap_err()
            .to_string();
        assert!(error.contains("idp.dev/v1alpha1"), "{error}");
    }
}

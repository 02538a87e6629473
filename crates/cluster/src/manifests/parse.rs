//! Parsing manifests: YAML documents into objects.

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// YAML documents, and their source.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The file's name, for errors.
    pub source: String,
    /// One or more YAML (or JSON) documents. A List counts as its items.
    pub text: String,
}

/// An object and its source.
#[derive(Debug, Clone)]
pub(crate) struct Sourced {
    pub(crate) source: String,
    pub(crate) object: Value,
}

impl Sourced {
    pub(super) fn field(&self, pointer: &str) -> &str {
        self.object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub(super) fn kind(&self) -> &str {
        self.field("/kind")
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "{}: {} {}",
            self.source,
            self.kind(),
            self.field("/metadata/name")
        )
    }
}

/// The objects of a manifest. Skips empty documents.
pub(crate) fn parse(manifest: &Manifest) -> Result<Vec<Sourced>> {
    let mut objects = Vec::new();
    for (number, document) in split_documents(&manifest.text).into_iter().enumerate() {
        let value: Value = serde_saphyr::from_str(&document)
            .with_context(|| format!("{}: document {} is not valid YAML", manifest.source, number + 1))?;
        let items = match value {
            Value::Null => vec![],
            Value::Object(mut list) if list.get("kind").is_some_and(|kind| kind == "List") => {
                match list.remove("items") {
                    Some(Value::Array(items)) => items,
                    _ => vec![],
                }
            }
            object => vec![object],
        };
        for object in items {
            if object.get("kind").is_none() || object.get("apiVersion").is_none() {
                bail!(
                    "{}: document {} has no apiVersion and kind",
                    manifest.source,
                    number + 1
                );
            }
            objects.push(Sourced {
                source: manifest.source.clone(),
                object,
            });
        }
    }
    Ok(objects)
}

/// Splits at lines that begin with `---`, as Kubernetes' tools do, and drops documents that contain only comments.
fn split_documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        let separator = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.trim().is_empty() || rest.starts_with(" #"));
        if separator {
            documents.push(String::new());
        } else if let Some(document) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    let is_content = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    documents.retain(|document| document.lines().any(is_content));
    documents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Manifest {
        Manifest {
            source: "file.yaml".into(),
            text: text.into(),
        }
    }

    #[test]
    fn documents_are_split_and_empty_ones_dropped() {
        let text = "# licence\n---\na: 1\n--- # next\nb: |\n  --- inside\n---\n\n---\n# end\n";
        assert_eq!(split_documents(text), ["a: 1\n", "b: |\n  --- inside\n"]);
    }

    #[test]
    fn items_of_lists_become_objects() {
        let text =
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n";
        let objects = parse(&manifest(text)).unwrap();
        assert_eq!(objects[0].describe(), "file.yaml: Secret a");
    }

    #[test]
    fn errors_name_the_file() {
        for text in ["a: [", "just: a map"] {
            let error = parse(&manifest(text)).unwrap_err();
            assert!(error.to_string().starts_with("file.yaml: document 1"), "{error}");
        }
    }
}

//! Applying manifests: server-side, in an order that works, with errors that name the object.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{TryStreamExt, stream};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::discovery::{Scope, pinned_kind};
use serde_json::Value;
use tokio::sync::Mutex;

/// Who owns the fields that are applied here.
pub const FIELD_MANAGER: &str = "idp-cli";

/// How many objects are applied at a time.
const CONCURRENCY: usize = 8;

/// How long the API server may take to serve a new definition.
const ESTABLISH: Duration = Duration::from_secs(60);

/// A text with YAML documents, and where it came from.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The file's name, shown in errors.
    pub source: String,
    /// One or more YAML (or JSON) documents; lists are taken apart.
    pub text: String,
}

/// An object ready to be applied, and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Sourced {
    pub(crate) source: String,
    pub(crate) object: Value,
}

impl Sourced {
    fn field(&self, pointer: &str) -> &str {
        self.object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn kind(&self) -> &str {
        self.field("/kind")
    }

    fn describe(&self) -> String {
        format!(
            "{}: {} {}",
            self.source,
            self.kind(),
            self.field("/metadata/name")
        )
    }
}

/// Applies manifests server-side under the field manager `idp-cli`: namespaces and definitions first, and the
/// rest once every definition is served.
///
/// # Errors
/// The first document that does not parse, or object that the API server refuses, named by file, kind and name.
pub async fn apply_manifests(client: &kube::Client, manifests: &[Manifest]) -> Result<()> {
    let mut objects = Vec::new();
    for manifest in manifests {
        objects.extend(parse(manifest)?);
    }
    apply_objects(client, objects).await
}

pub(crate) async fn apply_objects(client: &kube::Client, objects: Vec<Sourced>) -> Result<()> {
    let applier = Applier {
        client: client.clone(),
        known: Mutex::default(),
    };
    let (first, rest): (Vec<_>, Vec<_>) = objects
        .into_iter()
        .partition(|sourced| matches!(sourced.kind(), "Namespace" | "CustomResourceDefinition"));
    let definitions: Vec<String> = first
        .iter()
        .filter(|sourced| sourced.kind() == "CustomResourceDefinition")
        .map(|sourced| sourced.field("/metadata/name").to_owned())
        .collect();
    applier.apply_all(first).await?;
    wait_established(client, &definitions).await?;
    applier.apply_all(rest).await
}

struct Applier {
    client: kube::Client,
    /// Each kind is looked up once.
    known: Mutex<HashMap<GroupVersionKind, (ApiResource, Scope)>>,
}

impl Applier {
    async fn apply_all(&self, objects: Vec<Sourced>) -> Result<()> {
        stream::iter(objects.into_iter().map(Ok))
            .try_for_each_concurrent(CONCURRENCY, |sourced| async move {
                self.apply(&sourced)
                    .await
                    .with_context(|| format!("applying {}", sourced.describe()))
            })
            .await
    }

    async fn apply(&self, sourced: &Sourced) -> Result<()> {
        let (resource, scope) = self.resource(sourced).await?;
        let name = sourced.field("/metadata/name");
        if name.is_empty() {
            bail!("it has no metadata.name");
        }
        let api: Api<DynamicObject> = match scope {
            Scope::Cluster => Api::all_with(self.client.clone(), &resource),
            Scope::Namespaced => {
                let namespace = match sourced.field("/metadata/namespace") {
                    "" => "default",
                    namespace => namespace,
                };
                Api::namespaced_with(self.client.clone(), namespace, &resource)
            }
        };
        api.patch(
            name,
            &PatchParams::apply(FIELD_MANAGER).force(),
            &Patch::Apply(&sourced.object),
        )
        .await
        .map_err(in_words)?;
        Ok(())
    }

    async fn resource(&self, sourced: &Sourced) -> Result<(ApiResource, Scope)> {
        let api_version = sourced.field("/apiVersion");
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let kind = GroupVersionKind::gvk(group, version, sourced.kind());
        // Held over the look-up, so that a kind with many objects is still asked for once.
        let mut known = self.known.lock().await;
        if let Some(found) = known.get(&kind) {
            return Ok(found.clone());
        }
        let (resource, capabilities) = pinned_kind(&self.client, &kind)
            .await
            .with_context(|| format!("the API server does not know {} of {api_version}", sourced.kind()))?;
        let found = (resource, capabilities.scope);
        known.insert(kind, found.clone());
        Ok(found)
    }
}

/// Asks for one definition after the other: the list of all is megabytes, and asking for it again and again would
/// keep the API server from the very work that is waited for.
async fn wait_established(client: &kube::Client, names: &[String]) -> Result<()> {
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    let deadline = tokio::time::Instant::now() + ESTABLISH;
    for name in names {
        while !is_established(&api.get(name).await?) {
            if tokio::time::Instant::now() > deadline {
                bail!(
                    "the definition {name} is still not served after {} s",
                    ESTABLISH.as_secs()
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|condition| condition.type_ == "Established" && condition.status == "True")
}

/// The objects of a manifest; empty documents are skipped.
pub(crate) fn parse(manifest: &Manifest) -> Result<Vec<Sourced>> {
    let mut objects = Vec::new();
    for (number, document) in split_documents(&manifest.text).into_iter().enumerate() {
        let value: Value = serde_saphyr::from_str(&document)
            .with_context(|| format!("{}: document {} is no valid YAML", manifest.source, number + 1))?;
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

/// Splits at lines that begin with `---`, as every Kubernetes tool does, and drops documents of comments only.
pub(crate) fn split_documents(text: &str) -> Vec<String> {
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
    let says_something = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    documents.retain(|document| document.lines().any(says_something));
    documents
}

/// The API server's own words; the status around them says them again, several times.
fn in_words(error: kube::Error) -> anyhow::Error {
    match error {
        kube::Error::Api(status) => anyhow::Error::msg(status.message.clone()),
        other => other.into(),
    }
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
    fn lists_are_taken_apart() {
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

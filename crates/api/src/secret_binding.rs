//! `SecretBinding`: the secrets of the remote store that one application uses.

use std::collections::BTreeMap;

use idp_core::{Condition, Problem, StatusView};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::web_application::{ChildStatus, GeneratedSecret};

/// The secrets that one application uses. The secrets bridge creates an `ExternalSecret` for each.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[kube(
    group = "idp.dev",
    version = "v1alpha1",
    kind = "SecretBinding",
    namespaced,
    status = "SecretBindingStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "The secrets of the remote store that one application wants.",
    shortname = "sb",
    category = "idp",
    printcolumn(name = "Application", type_ = "string", json_path = ".spec.application"),
    printcolumn(name = "Store", type_ = "string", json_path = ".spec.store.name"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Problem",
        type_ = "string",
        json_path = ".status.problems[0].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct SecretBindingSpec {
    /// Name of the application. Remote keys start with the prefix that the Environment sets for it.
    #[schemars(length(min = 1, max = 40))]
    pub application: String,
    /// The External Secrets store.
    pub store: StoreRef,
    /// The secrets.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub secrets: Vec<BoundSecret>,
}

/// An External Secrets store.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// `ClusterSecretStore` or `SecretStore`.
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^(ClusterSecretStore|SecretStore)$')").message("write ClusterSecretStore or SecretStore"))]
    pub kind: String,
}

/// One secret: its source, and the Secret that is created.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.remoteKey) != has(self.generate)")
    .message("set either remoteKey or generate"))]
pub struct BoundSecret {
    /// Name within the application.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Path in the application, such as `spec.secrets[0]`. Problems refer to it.
    #[schemars(length(max = 253))]
    pub path: String,
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub target: String,
    /// The full key in the store, including the prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub remote_key: Option<String>,
    /// Properties to read. Empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub properties: Vec<String>,
    /// A random value that is generated once, instead of a remote key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<GeneratedSecret>,
    /// Keys of the Secret that are composed of properties. Each value is a template that uses functions that the
    /// secrets bridge allows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(length(max = 32))]
    pub template: BTreeMap<String, String>,
    /// Interval between reads of the store, such as `1h`.
    #[schemars(length(max = 32))]
    pub refresh_interval: String,
}

/// Status of a `SecretBinding`: the fields of every binding, and the state of each secret.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretBindingStatus {
    /// The `metadata.generation` that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` and `Synced`; `Reconciling` and `Stalled` only while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Problems, each with its cause and what to do; errors first. Paths refer to the WebApplication.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// Version of the data that pods read. Absent until every secret has been available once. Changes a few seconds
    /// after secrets changed, once for all that changed together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// A version that is not published yet, because more secrets may be about to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingVersion>,
    /// State of each secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub secrets: Vec<SecretState>,
    /// Inventory: all objects that belong to the binding
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ChildStatus>,
}

/// A version that is not published yet.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingVersion {
    /// The version.
    pub version: String,
    /// When the first change was detected, in RFC 3339.
    pub first: String,
    /// When the last change was detected, in RFC 3339.
    pub last: String,
}

/// State of one secret.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretState {
    /// Name within the application.
    pub name: String,
    /// Whether its Secret matches the store.
    pub ready: bool,
    /// When External Secrets last changed the Secret, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
}

impl StatusView for SecretBindingStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

//! `SecretBinding`: the secrets of the remote store that one application wants.

use std::collections::BTreeMap;

use idp_core::{Condition, Problem, StatusView};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::web_application::{ChildStatus, GeneratedSecret};

/// The secrets that one application wants; the secrets bridge makes an `ExternalSecret` of each.
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
    /// Name of the application. Remote keys lie below the prefix that the Environment gives it.
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

/// One secret: where it comes from, and the Secret that it becomes.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.remoteKey) != has(self.generate)")
    .message("set either remoteKey or generate"))]
pub struct BoundSecret {
    /// Name within the application.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Where the application names it, such as `spec.secrets[0]`: problems point there.
    #[schemars(length(max = 253))]
    pub path: String,
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub target: String,
    /// The whole key in the store, prefix included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub remote_key: Option<String>,
    /// Properties wanted of it; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub properties: Vec<String>,
    /// A random value that is made once, instead of a remote key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<GeneratedSecret>,
    /// Keys of the Secret that are composed of properties, each a template with the functions that
    /// the secrets bridge allows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(length(max = 32))]
    pub template: BTreeMap<String, String>,
    /// How often the store is asked, such as `1h`.
    #[schemars(length(max = 32))]
    pub refresh_interval: String,
}

/// What became of a `SecretBinding`: [`crate::binding::BindingStatus`], and each secret's state.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretBindingStatus {
    /// `metadata.generation` that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` and `Synced`; `Reconciling` and `Stalled` while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// What does not work, why, and what to do; errors first. Paths are those of the WebApplication.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// Version of what pods read. Absent until every secret has been there once. Changes a few seconds after secrets
    /// have changed, once for all that changed together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// A version that is not given out yet, while more secrets may be about to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingVersion>,
    /// Each secret's state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub secrets: Vec<SecretState>,
    /// The inventory: every object that belongs to the binding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ChildStatus>,
}

/// A version that is not given out yet.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingVersion {
    /// The version.
    pub version: String,
    /// When the first of the changes was seen, in RFC 3339.
    pub first: String,
    /// When the last of the changes was seen, in RFC 3339.
    pub last: String,
}

/// State of one secret.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretState {
    /// Name within the application.
    pub name: String,
    /// Whether its Secret holds what the store holds.
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

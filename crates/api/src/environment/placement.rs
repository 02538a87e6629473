//! Where pods run, and what applications may choose.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::web_application::Toleration;

/// Where pods run, and what applications may choose. Applies to all pods of an application.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlacementPolicy {
    /// Labels that a node must have. Applications may add labels, but cannot override these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Tolerations of all pods. An application's tolerations are added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<Toleration>,
    /// Tolerations that applications may add. An entry without value allows every value; without effect, every effect.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub allowed_tolerations: Vec<Toleration>,
    /// Priority classes that applications may use. Default: none. Classes with the prefix `system-` are never allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub allowed_priority_classes: Vec<PriorityClass>,
}

/// A priority class that applications may use.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriorityClass {
    /// Name of the PriorityClass.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("!self.startsWith('system-')")
        .message("system- classes are reserved for the cluster, because their pods can evict all others: name another class"))]
    pub name: String,
    /// Namespaces whose applications may use it. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 63)))]
    pub namespaces: Vec<String>,
}

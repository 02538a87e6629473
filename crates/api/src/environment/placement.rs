//! Where pods run, and what applications may say about it.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::web_application::Toleration;

/// Where pods run, and what applications may say about it. Whatever pods an application makes, these bounds hold.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlacementPolicy {
    /// Labels that a node must have. Applications may add labels, and cannot replace these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that all pods tolerate; an application's own are added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<Toleration>,
    /// Taints that applications may tolerate if they say so. An entry without value allows every value, one without
    /// effect every effect. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub allowed_tolerations: Vec<Toleration>,
    /// Priority classes that applications may name. Default: none. The cluster's own (`system-…`) never belong to an
    /// application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub allowed_priority_classes: Vec<PriorityClass>,
}

/// A priority class that applications may name.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriorityClass {
    /// Name of the PriorityClass.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("!self.startsWith('system-')")
        .message("system- classes are the cluster's own: a pod of theirs evicts everybody's; name another class"))]
    pub name: String,
    /// Namespaces whose applications may name it. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 63)))]
    pub namespaces: Vec<String>,
}

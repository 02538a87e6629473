//! Fields that all bindings share: the contract between the WebApplication controller and capabilities.

use idp_core::{Condition, Problem, StatusView};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::web_application::ChildStatus;

/// Status of a binding. Every kind of binding has these fields; the WebApplication controller reads no others.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BindingStatus {
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
    /// Version of the data that pods read. Absent until everything in the spec has been available once; pods do not
    /// start before. A new version triggers a rollout. Temporary failures do not change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Inventory: all objects that belong to the binding
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ChildStatus>,
}

impl StatusView for BindingStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

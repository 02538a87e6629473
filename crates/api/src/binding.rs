//! What all bindings have in common: the contract between the WebApplication controller and capabilities.

use idp_core::{Condition, Problem, StatusView};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::web_application::ChildStatus;

/// What became of a binding. Every kind of binding has these fields, under these names: they are all that the
/// WebApplication controller reads of it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BindingStatus {
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
    /// Version of what pods read. Absent until all that the spec asks for has been there once; pods wait for it. A new
    /// version rolls the pods. A passing failure leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The inventory: every object that belongs to the binding.
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

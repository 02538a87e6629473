//! Status of a `WebApplication`.

use idp_core::{Applied, Condition, Plan, Problem, StatusView};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Status of a `WebApplication`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebApplicationStatus {
    /// The `metadata.generation` that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Synced`, `WorkloadReady` and `RoutesReady`; `SecretsReady`, `CertificatesReady`, `ClaimsReady` and
    /// `CapabilitiesReady` if the application has such sections; `Reconciling` and `Stalled` only while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Problems, each with its cause and what to do; errors first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// Inventory: all objects that belong to the application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ChildStatus>,
    /// URL of the application's first route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Number of pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Number of ready pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// Label selector of the pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Name of the Environment that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

/// One object that belongs to an application.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChildStatus {
    /// `group/version` of its kind.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace, if it differs from the owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its UID. It proves later that an object with this name is still the same object.
    pub uid: String,
    /// Why the object is held: neither changed nor pruned for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

impl ChildStatus {
    /// The objects of a plan, sorted, as the status of their owner in `namespace` lists them.
    pub fn inventory(plan: &Plan<Applied>, namespace: Option<&str>) -> Vec<Self> {
        let mut children: Vec<Self> = plan
            .children
            .iter()
            .map(|child| Self {
                api_version: child.kind.api_version(),
                kind: child.kind.kind.to_owned(),
                name: child.name.clone(),
                namespace: child
                    .namespace
                    .clone()
                    .filter(|other| Some(other.as_str()) != namespace),
                uid: child.uid.clone(),
                held: child.held.clone(),
            })
            .collect();
        children.sort();
        children
    }
}

impl StatusView for WebApplicationStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

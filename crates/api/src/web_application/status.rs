//! Status of a `WebApplication`.

use idp_core::{Applied, Condition, Plan, Problem, StatusView};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a `WebApplication`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebApplicationStatus {
    /// `metadata.generation` that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Synced`, `WorkloadReady` and `RoutesReady`; `SecretsReady`, `CertificatesReady`, `ClaimsReady` and
    /// `CapabilitiesReady` where the application has such sections; `Reconciling` and `Stalled` while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// What does not work, why, and what to do; errors first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// The inventory: every object that belongs to the application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ChildStatus>,
    /// Where the application is reached from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Number of pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Number of pods that take requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// Label selector of the pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Name of the Environment that the plan was made for.
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
    /// Its namespace, where that is another than its owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its UID: what proves later that an object of this name is still the same one.
    pub uid: String,
    /// Why the plan leaves it as it is, while it does.
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

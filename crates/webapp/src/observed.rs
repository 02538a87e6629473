//! What a plan depends on besides the resource itself.

use std::collections::{BTreeMap, BTreeSet};

use idp_api::EnvironmentSpec;

use crate::{
    capabilities::{Answer, BindingFacts, Section},
    kinds::CLAIM_BINDING,
};

/// The facts that `validate` and `plan` work on. `idp-cli render` makes one without a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The cluster's Environments by name. There should be exactly one.
    pub environments: BTreeMap<String, EnvironmentSpec>,
    /// Environments that cannot be read, by name, and what is wrong with each.
    pub unreadable: BTreeMap<String, String>,
    /// Labels of the application's namespace; absent where they are not known, as for `render` without its file.
    pub namespace_labels: Option<BTreeMap<String, String>>,
    /// Complete host names that somebody else holds, with the holder's kind, namespace and name.
    pub taken_hosts: BTreeMap<String, String>,
    /// State of the migration Jobs that exist, by Job name.
    pub migrations: BTreeMap<String, MigrationState>,
    /// The Deployment as it is, if there is one.
    pub deployment: Option<DeploymentFacts>,
    /// Pods that do not work: what the kubelet says, once each.
    pub pod_failures: Vec<PodFailure>,
    /// Names of the ConfigMaps that a pod uses, or that something will make one with, whoever's they are.
    pub used_config: BTreeSet<String>,
    /// Names of the application's own ConfigMaps.
    pub config_maps: BTreeSet<String>,
    /// Names of the capabilities that there are.
    pub capabilities: BTreeSet<String>,
    /// What the capability of each section says, by the section's path: no two sections share an answer.
    pub answers: BTreeMap<String, (Section, Answer)>,
    /// The application's bindings as they are.
    pub bindings: Vec<BindingFacts>,
    /// Whether migration and bindings are taken as done: for `render`, which shows the final state.
    pub assume_settled: bool,
}

impl Observed {
    /// Labels of the application's namespace, with the one that every namespace has.
    pub fn labels_of(&self, namespace: &str) -> BTreeMap<String, String> {
        let mut labels = self.namespace_labels.clone().unwrap_or_default();
        labels.insert("kubernetes.io/metadata.name".to_owned(), namespace.to_owned());
        labels
    }

    /// Whether claims of the application exist, which their capability must go on naming.
    pub fn has_claims(&self) -> bool {
        let mut bindings = self.bindings.iter();
        bindings.any(|binding| binding.kind == CLAIM_BINDING.kind)
    }
}

/// What is remembered of a VirtualService.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Routed {
    /// The hosts that it answers for.
    pub hosts: Vec<String>,
    /// The application that its labels name: for messages only, as anybody can write labels.
    pub application: Option<String>,
}

/// State of a Job.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum MigrationState {
    /// Not ended.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly, with the Job controller's words.
    Failed(String),
}

/// What is remembered of a Job.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobFacts {
    /// How far it is.
    pub state: MigrationState,
    /// The ConfigMaps that its next pod would read.
    #[serde(default)]
    pub config_maps: Vec<String>,
}

/// What is remembered of a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodFacts {
    /// Why it does not work, if it does not.
    pub failure: Option<PodFailure>,
    /// The ConfigMaps that it reads.
    pub config_maps: Vec<String>,
}

/// What is remembered of a Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentFacts {
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// `spec.replicas`.
    pub wanted: i32,
    /// `status.replicas`.
    pub replicas: i32,
    /// `status.updatedReplicas`.
    pub updated: i32,
    /// `status.readyReplicas`.
    pub ready: i32,
    /// `status.availableReplicas`.
    pub available: i32,
    /// Reason and message of a false `Progressing` or a true `ReplicaFailure` condition.
    pub failure: Option<(String, String)>,
    /// The ConfigMaps that its pods read.
    pub config_maps: Vec<String>,
}

/// Why a pod does not work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodFailure {
    /// Name of the pod.
    pub pod: String,
    /// The kubelet's or the scheduler's reason, such as `ImagePullBackOff` or `Unschedulable`.
    pub reason: String,
    /// Its message.
    pub message: String,
}

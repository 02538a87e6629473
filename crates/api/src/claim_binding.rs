//! `ClaimBinding`: one database, cache, queue, bucket or volume that an application wants.

use idp_core::{Condition, Problem, StatusView};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::web_application::ChildStatus;

/// One database, cache, queue, bucket or volume that an application wants. It outlives the wish: while the data are
/// kept, so is the binding, as `released`.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[kube(
    group = "idp.dev",
    version = "v1alpha1",
    kind = "ClaimBinding",
    namespaced,
    status = "ClaimBindingStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "One database, cache, queue, bucket or volume that an application wants.",
    shortname = "clb",
    category = "idp",
    printcolumn(name = "Application", type_ = "string", json_path = ".spec.application"),
    printcolumn(name = "Class", type_ = "string", json_path = ".spec.class"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
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
#[x_kube(
    validation = Rule::new("self.application == oldSelf.application && self.name == oldSelf.name")
        .message("a binding belongs to one database of one application for ever").field_path(".name"),
    validation = Rule::new("self.engine == oldSelf.engine")
        .message("the engine of a database that exists cannot change: add a database of another name with the new engine, copy the data, then remove this one").field_path(".engine"),
    validation = Rule::new("self.class == oldSelf.class")
        .message("the class of a database that exists cannot change: add a database of another name, which gets the new class, copy the data, then remove this one").field_path(".class")
)]
pub struct ClaimBindingSpec {
    /// Name of the application.
    #[schemars(length(min = 1, max = 40))]
    pub application: String,
    /// Name of the database, bucket or volume within the application.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
    /// Where the application names it, such as `spec.databases[0]`: problems point there.
    #[schemars(length(max = 253))]
    pub path: String,
    /// What it is.
    #[schemars(length(min = 1, max = 63))]
    pub engine: String,
    /// Name of the ClaimClass.
    #[schemars(length(min = 1, max = 63))]
    pub class: String,
    /// Version of the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub version: Option<String>,
    /// One of the class's sizes; of a volume, a quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub size: Option<String>,
    /// Whether a bucket keeps old versions of objects.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub versioned: bool,
    /// Name of the Environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub environment: Option<String>,
    /// Name of the connection Secret, where the class offers one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret: Option<String>,
    /// Whether the application does not want it any more. Its data are kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
}

/// What became of a `ClaimBinding`: [`crate::binding::BindingStatus`], and the claim's state.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimBindingStatus {
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
    /// Version of what pods read. Absent until the claim has been ready once, with its connection Secret published.
    /// Changes when the Secret is published anew. A passing failure leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<ClaimPhase>,
    /// The object that holds the data. Stays when the object is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimRef>,
    /// Name of the connection Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Since when, and until when at least, data are kept that nobody wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tombstone: Option<Tombstone>,
    /// The inventory: every object that belongs to the binding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ChildStatus>,
}

/// How far a claim is.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum ClaimPhase {
    /// There is no claim yet.
    Pending,
    /// There is a claim, and it has never been ready.
    Creating,
    /// It works.
    Ready,
    /// It has worked before, and does not now.
    Failing,
    /// The application does not want it any more; the data are kept.
    Released,
    /// Claim and data are being deleted, as asked.
    Deleting,
    /// Claim and data are deleted, as asked.
    Deleted,
    /// Somebody else deleted the claim.
    Lost,
}

/// An object that holds data.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimRef {
    /// `group/version`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
}

/// The state of data that nobody wants.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tombstone {
    /// Since when, in RFC 3339.
    pub since: String,
    /// Until when they are kept whatever anybody says, in RFC 3339.
    pub until: String,
    /// Whether they go then: somebody has said so, or the class does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delete: bool,
    /// Whether the class says so (`deletionPolicy: Delete`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_class: bool,
}

impl StatusView for ClaimBindingStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

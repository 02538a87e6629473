//! `ClaimBinding`: one database, cache, queue, bucket or volume of an application.

use idp_core::{Condition, Problem, StatusView};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::web_application::ChildStatus;

/// One database, cache, queue, bucket or volume of an application. It stays, as `released`, after the application
/// removes it, for as long as the data is retained.
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
        .message("application and name of a binding cannot change").field_path(".name"),
    validation = Rule::new("self.engine == oldSelf.engine")
        .message("the engine of an existing database cannot change: add a database with another name and the new engine, copy the data, then remove this one").field_path(".engine"),
    validation = Rule::new("self.class == oldSelf.class")
        .message("the class of an existing database cannot change: add a database with another name, which gets the new class, copy the data, then remove this one").field_path(".class")
)]
pub struct ClaimBindingSpec {
    /// Name of the application.
    #[schemars(length(min = 1, max = 40))]
    pub application: String,
    /// Name of the database, bucket or volume within the application.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
    /// Path in the application, such as `spec.databases[0]`. Problems refer to it.
    #[schemars(length(max = 253))]
    pub path: String,
    /// Engine of the database, or `bucket` or `volume`.
    #[schemars(length(min = 1, max = 63))]
    pub engine: String,
    /// Name of the ClaimClass.
    #[schemars(length(min = 1, max = 63))]
    pub class: String,
    /// Version of the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub version: Option<String>,
    /// One of the class's sizes. For a volume, a quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub size: Option<String>,
    /// Whether a bucket keeps previous versions of objects.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub versioned: bool,
    /// Name of the Environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub environment: Option<String>,
    /// Name of the connection Secret, if the class provides one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret: Option<String>,
    /// Whether the application has removed it. Its data is retained.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
}

/// Status of a `ClaimBinding`: the fields of every binding, and the state of the claim.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimBindingStatus {
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
    /// Version of the data that pods read. Absent until the claim has been ready once and its connection Secret
    /// published. Changes when the Secret is published again. Temporary failures do not change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Phase of the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<ClaimPhase>,
    /// The object that holds the data. Kept in the status after the object is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimRef>,
    /// Name of the connection Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Retention of the data after the application removed the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tombstone: Option<Tombstone>,
    /// Inventory: all objects that belong to the binding
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ChildStatus>,
}

/// Phase of a claim.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum ClaimPhase {
    /// The claim does not exist yet.
    Pending,
    /// The claim exists, and has never been ready.
    Creating,
    /// The claim is ready.
    Ready,
    /// The claim was ready before, and is not now.
    Failing,
    /// The application has removed it; the data is retained.
    Released,
    /// Claim and data are being deleted, as requested.
    Deleting,
    /// Claim and data are deleted, as requested.
    Deleted,
    /// The claim was deleted by another client.
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

/// Retention of data that its application has removed.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tombstone {
    /// When the application removed it, in RFC 3339.
    pub since: String,
    /// End of the grace period, in RFC 3339. The data is never deleted earlier.
    pub until: String,
    /// Whether the data will be deleted after the grace period, by request or by `deletionPolicy: Delete` of the class.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delete: bool,
    /// Whether `deletionPolicy: Delete` of the class causes the deletion.
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

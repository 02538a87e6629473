//! `CapabilityBinding`: the binding of capabilities that the platform team adds.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{binding::BindingStatus, schema::any_object};

/// One section of `spec.capabilities` of an application, for the controller of that capability.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[kube(
    group = "idp.dev",
    version = "v1alpha1",
    kind = "CapabilityBinding",
    namespaced,
    status = "BindingStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "One section of an application, for a capability that the platform team has added.",
    category = "idp",
    printcolumn(name = "Capability", type_ = "string", json_path = ".spec.capability"),
    printcolumn(name = "Application", type_ = "string", json_path = ".spec.application"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct CapabilityBindingSpec {
    /// Name of the capability. Its controller reconciles this object.
    #[schemars(length(min = 1, max = 63))]
    pub capability: String,
    /// Name of the application.
    #[schemars(length(min = 1, max = 40))]
    pub application: String,
    /// The section, in the capability's own schema.
    #[serde(default)]
    #[schemars(schema_with = "any_object")]
    pub section: Value,
}

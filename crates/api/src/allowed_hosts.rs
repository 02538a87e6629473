//! `AllowedHosts`: what all policies together allow the hosts of routes, for the admission policy.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::certificate_policy::NamespaceSelector;

/// What all policies together allow the hosts of routes. The certificate policy controller writes one, named after the
/// Environment; a ValidatingAdmissionPolicy reads it as its parameter. Nobody else needs it.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "idp.dev",
    version = "v1alpha1",
    kind = "AllowedHosts",
    plural = "allowedhosts",
    singular = "allowedhosts",
    derive = "PartialEq",
    derive = "Default",
    doc = "What all certificate policies together allow the hosts of routes: the parameter of an admission policy.",
    printcolumn(name = "Domain", type_ = "string", json_path = ".spec.baseDomain"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AllowedHostsSpec {
    /// Domain that completes host names without dots.
    #[schemars(length(max = 200))]
    pub base_domain: String,
    /// One for each policy that allows the Environment's issuer to sign for some host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["policy".into()]))]
    pub grants: Vec<HostGrant>,
}

/// What one policy allows.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostGrant {
    /// Name of the policy.
    #[schemars(length(max = 253))]
    pub policy: String,
    /// Namespaces that it selects.
    #[schemars(length(max = 16))]
    pub namespaces: Vec<NamespaceSelector>,
    /// Hosts that it allows, in small letters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 253)))]
    pub exact: Vec<String>,
    /// Endings of hosts that it allows, each with the dot before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 254)))]
    pub endings: Vec<String>,
    /// Regular expressions (RE2) of whole hosts that it allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 2048)))]
    pub expressions: Vec<String>,
}

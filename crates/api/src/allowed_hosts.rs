//! `AllowedHosts`: what all policies together allow the hosts of routes, for the admission policy.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::certificate_policy::NamespaceSelector;

/// Which hosts routes may have: what the Environment gives to namespaces, whatever gateway and certificate they use, and
/// what all certificate policies together allow. The certificate policy controller writes one, named after the Environment; a ValidatingAdmissionPolicy reads it as its parameter. Nobody else needs it.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "idp.dev",
    version = "v1alpha1",
    kind = "AllowedHosts",
    plural = "allowedhosts",
    singular = "allowedhosts",
    derive = "PartialEq",
    derive = "Default",
    doc = "Which hosts routes may have, by Environment and certificate policies: the parameter of an admission policy.",
    printcolumn(name = "Domain", type_ = "string", json_path = ".spec.baseDomain"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AllowedHostsSpec {
    /// Domain that completes host names without dots.
    #[schemars(length(max = 200))]
    pub base_domain: String,
    /// The Gateway that all applications use, as `namespace/name`, where they have none of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 127))]
    pub shared_gateway: Option<String>,
    /// What the Environment gives to namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["policy".into()]))]
    pub hosts: Vec<HostGrant>,
    /// Whether certificates are ordered for the hosts of routes, so that `grants` count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub orders_certificates: bool,
    /// One for each policy that allows the Environment's issuer to sign for some host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["policy".into()]))]
    pub grants: Vec<HostGrant>,
}

/// What one certificate policy, or one rule of the Environment, allows.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostGrant {
    /// Name of the policy, or path of the rule.
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
    /// Gateways at which the hosts are allowed. Default: the one that applications use by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 127)))]
    pub gateways: Vec<String>,
    /// Secrets of the gateway that routes may show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 253)))]
    pub secrets: Vec<String>,
}

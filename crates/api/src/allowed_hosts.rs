//! `AllowedHosts`: what all policies together allow the hosts of routes, for the admission policy.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::certificate_policy::NamespaceSelector;

/// Hosts that routes may use: those that the Environment allows to each namespace, and those that certificate policies
/// allow. The certificate policy controller maintains one object, named after the Environment, as the parameter of a
/// ValidatingAdmissionPolicy. Do not edit it.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "idp.dev",
    version = "v1alpha1",
    kind = "AllowedHosts",
    plural = "allowedhosts",
    singular = "allowedhosts",
    derive = "PartialEq",
    derive = "Default",
    doc = "Hosts that routes may use, from the Environment and certificate policies: the parameter of an admission policy.",
    printcolumn(name = "Domain", type_ = "string", json_path = ".spec.baseDomain"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AllowedHostsSpec {
    /// Domain that is appended to host names without dots.
    #[schemars(length(max = 200))]
    pub base_domain: String,
    /// The Gateway shared by applications that have none of their own, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 127))]
    pub shared_gateway: Option<String>,
    /// Hosts that the Environment allows to namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["policy".into()]))]
    pub hosts: Vec<HostGrant>,
    /// Whether the platform orders certificates for the hosts of routes. `grants` apply only then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub orders_certificates: bool,
    /// One grant for each certificate policy that allows the Environment's issuer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["policy".into()]))]
    pub grants: Vec<HostGrant>,
}

/// The hosts that one certificate policy, or one rule of the Environment, allows.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostGrant {
    /// Name of the policy, or path of the rule in the Environment.
    #[schemars(length(max = 253))]
    pub policy: String,
    /// Namespaces that it applies to.
    #[schemars(length(max = 16))]
    pub namespaces: Vec<NamespaceSelector>,
    /// Exact hosts that it allows, in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 253)))]
    pub exact: Vec<String>,
    /// Suffixes of hosts that it allows, each with a leading dot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 254)))]
    pub endings: Vec<String>,
    /// Regular expressions (RE2) that match whole hosts that it allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 2048)))]
    pub expressions: Vec<String>,
    /// Gateways for which the hosts are allowed. Default: the default Gateway of applications.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 127)))]
    pub gateways: Vec<String>,
    /// Secrets in the gateway's namespace that routes may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 253)))]
    pub secrets: Vec<String>,
}

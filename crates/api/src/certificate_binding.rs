//! `CertificateBinding`: the certificates that one application's hosts need.

use idp_core::{Condition, Problem, StatusView};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::web_application::ChildStatus;

/// The hosts of one application. The certificate policy controller creates a cert-manager `Certificate` for each.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[kube(
    group = "idp.dev",
    version = "v1alpha1",
    kind = "CertificateBinding",
    namespaced,
    status = "CertificateBindingStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "The certificates that one application's hosts need.",
    shortname = "cb",
    category = "idp",
    printcolumn(name = "Application", type_ = "string", json_path = ".spec.application"),
    printcolumn(name = "Issuer", type_ = "string", json_path = ".spec.issuer.name"),
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
pub struct CertificateBindingSpec {
    /// Name of the application.
    #[schemars(length(min = 1, max = 40))]
    pub application: String,
    /// The cert-manager issuer.
    pub issuer: IssuerRef,
    /// Namespace in which the gateway reads the Secrets.
    #[schemars(length(min = 1, max = 63))]
    pub secret_namespace: String,
    /// The hosts.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["host".into()]))]
    pub hosts: Vec<BoundHost>,
}

/// A cert-manager issuer.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuerRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// `ClusterIssuer` or `Issuer`.
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^(ClusterIssuer|Issuer)$')").message("write ClusterIssuer or Issuer"))]
    pub kind: String,
}

/// A host that needs a certificate.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoundHost {
    /// The full host name.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message("write a host name in small letters, such as shop.example.com"))]
    pub host: String,
    /// Path of its first use in the application, such as `spec.routes[0].host`. Problems refer to it.
    #[schemars(length(max = 253))]
    pub path: String,
}

/// Status of a `CertificateBinding`: the fields of every binding, and the state of each certificate.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateBindingStatus {
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
    /// Absent until every certificate has been issued once; never changes afterwards. Pods do not read certificates, so
    /// a renewal triggers no rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// State of each certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["host".into()]))]
    pub certificates: Vec<CertificateState>,
    /// Inventory: all objects that belong to the binding, in the gateway's namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ChildStatus>,
}

/// State of the certificate of one host.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateState {
    /// The host.
    pub host: String,
    /// Name of the Certificate and of its Secret, in the gateway's namespace.
    pub secret: String,
    /// Whether the Secret contains a valid certificate that matches the plan.
    pub ready: bool,
    /// Name of the CertificatePolicy that allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Number of times it has been issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// When the certificate expires, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
    /// When cert-manager renews it, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal_time: Option<String>,
}

impl StatusView for CertificateBindingStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

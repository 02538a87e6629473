//! `Environment`: what differs between a laptop, staging and production.

mod hosts;
mod limits;
mod network;
mod placement;

pub use hosts::{BaseDomainHosts, HostDenial, HostPolicy, HostRule, Tenant};
pub use limits::{JobLimits, Limits, MetricsLimits, PodLimits, SecretsLimits};
pub use network::{AllowedRange, NetworkBounds};
pub use placement::{PlacementPolicy, PriorityClass};

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The target that a cluster is: everything that differs between environments, so that no application has to. A
/// cluster has exactly one.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "idp.dev",
    version = "v1alpha1",
    kind = "Environment",
    derive = "PartialEq",
    derive = "Default",
    doc = "What this cluster is: base domain, gateway, mesh, sizes, limits and policies that all its applications share.",
    shortname = "env",
    category = "idp",
    printcolumn(name = "Domain", type_ = "string", json_path = ".spec.baseDomain"),
    printcolumn(name = "Mesh", type_ = "string", json_path = ".spec.mesh.mode"),
    printcolumn(name = "Gateway", type_ = "string", json_path = ".spec.gateway.mode"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.defaultSize in self.sizes")
        .message("defaultSize must be one of sizes").field_path(".defaultSize"),
    validation = Rule::new("!has(self.gateway) || self.gateway.mode != 'Shared' || has(self.gateway.shared)")
        .message("gateway.mode Shared needs gateway.shared, the Gateway as namespace/name").field_path(".gateway")
)]
pub struct EnvironmentSpec {
    /// Domain that completes host names without dots, such as `apps.example.com`.
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message("write a domain in small letters, such as apps.example.com"))]
    pub base_domain: String,
    /// How requests come in from outside.
    #[serde(default)]
    pub gateway: GatewayPolicy,
    /// Which hosts applications may have. Default: names one label below the base domain.
    #[serde(default)]
    pub hosts: HostPolicy,
    /// Who signs the certificates of routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<CertificateDefaults>,
    /// Where secrets come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<SecretDefaults>,
    /// Which registries are used.
    #[serde(default)]
    pub registry: Registry,
    /// Sizes that applications choose from.
    #[schemars(length(min = 1, max = 32))]
    pub sizes: BTreeMap<String, Size>,
    /// The size of applications that name none.
    #[schemars(length(min = 1, max = 63))]
    pub default_size: String,
    /// Bounds on the number of pods of an application.
    #[serde(default)]
    pub replicas: ReplicaBounds,
    /// Which class serves which engine: `postgres` to the name of a ClaimClass.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, String>,
    /// The service mesh.
    #[serde(default)]
    pub mesh: Mesh,
    /// Prometheus and Grafana.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// Where DNS is answered, so that applications may ask.
    #[serde(default)]
    pub dns: Dns,
    /// What patches of applications may change. Default: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub allowed_patches: Vec<AllowedPatch>,
    /// Where pods run, and what applications may say about it.
    #[serde(default)]
    pub placement: PlacementPolicy,
    /// Which addresses applications may open, and which are the cluster's own.
    #[serde(default)]
    pub network: NetworkBounds,
    /// How much an application may take, beside `replicas`.
    #[serde(default)]
    pub limits: Limits,
}

/// How requests come in from outside.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayPolicy {
    /// One Istio Gateway for each application, or one for all.
    #[serde(default)]
    pub mode: GatewayMode,
    /// The Gateway for all, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 127))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')").message("write the Gateway as namespace/name"))]
    pub shared: Option<String>,
    /// Further Gateways that routes may name, as `namespace/name`, in namespaces whose hosts are listed for them in
    /// `hosts.allowed`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 127)))]
    pub allowed: Vec<String>,
    /// Labels of the gateway's pods.
    #[serde(default = "ingress_selector")]
    pub selector: BTreeMap<String, String>,
    /// Namespace of the gateway's pods.
    #[serde(default = "ingress_namespace")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// ServiceAccount of the gateway's pods, which applications let in.
    #[serde(default = "ingress_account")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account: String,
    /// Whether routes may be unencrypted (`tls.mode: None`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_plaintext: bool,
    /// Port for HTTPS on which clients reach the gateway, for URLs. Default 443.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub https_port: Option<i32>,
}

impl GatewayPolicy {
    /// A Gateway that a route names, unless it is the one that all applications use anyway.
    pub fn other<'a>(&self, named: Option<&'a str>) -> Option<&'a str> {
        let shared = self
            .shared
            .as_deref()
            .filter(|_| self.mode == GatewayMode::Shared);
        named.filter(|named| Some(*named) != shared)
    }
}

impl Default for GatewayPolicy {
    fn default() -> Self {
        Self {
            mode: GatewayMode::default(),
            shared: None,
            allowed: Vec::new(),
            selector: ingress_selector(),
            namespace: ingress_namespace(),
            service_account: ingress_account(),
            allow_plaintext: false,
            https_port: None,
        }
    }
}

fn ingress_selector() -> BTreeMap<String, String> {
    [("istio".to_owned(), "ingressgateway".to_owned())].into()
}

fn ingress_namespace() -> String {
    "istio-system".to_owned()
}

fn ingress_account() -> String {
    "istio-ingressgateway-service-account".to_owned()
}

/// One Istio Gateway for each application, or one for all.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum GatewayMode {
    /// Each application gets a Gateway for its own hosts.
    #[default]
    Dedicated,
    /// All applications use the Gateway that `shared` names.
    Shared,
    /// There is none: routes are refused.
    None,
}

/// Who signs the certificates of routes.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateDefaults {
    /// Name of the cert-manager issuer.
    #[schemars(length(min = 1, max = 253))]
    pub issuer: String,
    /// `ClusterIssuer` or `Issuer`.
    #[serde(default = "cluster_issuer")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^(ClusterIssuer|Issuer)$')").message("write ClusterIssuer or Issuer"))]
    pub kind: String,
}

fn cluster_issuer() -> String {
    "ClusterIssuer".to_owned()
}

/// Where secrets come from.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretDefaults {
    /// Name of the External Secrets store.
    #[schemars(length(min = 1, max = 253))]
    pub store: String,
    /// `ClusterSecretStore` or `SecretStore`.
    #[serde(default = "cluster_store")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^(ClusterSecretStore|SecretStore)$')").message("write ClusterSecretStore or SecretStore"))]
    pub kind: String,
    /// Prefix of an application's remote keys; `{namespace}` and `{application}` stand for its own, each followed by
    /// `/`, `_` or `.`, which names cannot hold: or one's keys would begin like another's.
    #[serde(default = "tenant_prefix")]
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([A-Za-z0-9/_+=.@-]|\{(namespace|application)\}[/_+=.@])*$')").message("write a path such as {namespace}/{application}/: after {namespace} and {application} it goes on with '/', '_' or '.'"))]
    pub prefix: String,
    /// How often a store is asked by default, such as `1h`.
    #[serde(default = "hourly")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]+(s|m|h))+$')").message("write a duration such as 30s, 5m or 1h"))]
    pub refresh_interval: String,
}

fn cluster_store() -> String {
    "ClusterSecretStore".to_owned()
}

fn tenant_prefix() -> String {
    "{namespace}/{application}/".to_owned()
}

fn hourly() -> String {
    "1h".to_owned()
}

/// Which registries are used.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registry {
    /// Replacements of the beginning of image names; the longest match wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["from".into()]))]
    pub rewrites: Vec<RegistryRewrite>,
    /// Beginnings that image names must have, after rewriting. Default: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 253)))]
    pub allowed: Vec<String>,
    /// Whether images must be named by digest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_digest: bool,
    /// Names of the pull secrets that each namespace has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 253)))]
    pub pull_secrets: Vec<String>,
}

/// A replacement of the beginning of image names.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryRewrite {
    /// What an image name begins with, ending at a `/`.
    #[schemars(length(min = 1, max = 253))]
    pub from: String,
    /// What takes its place.
    #[schemars(length(max = 253))]
    pub to: String,
}

/// CPU and memory of a size.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Size {
    /// CPU request.
    pub cpu: Quantity,
    /// Memory request, and limit.
    pub memory: Quantity,
    /// CPU limit. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_limit: Option<Quantity>,
}

/// Bounds on the number of pods of an application.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.floor <= self.ceiling").message("floor must not be greater than ceiling"))]
pub struct ReplicaBounds {
    /// Fewest pods; an application that asks for fewer gets as many. Asking for 0 always stops it.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub floor: i32,
    /// Most pods; an application that asks for more is bounded and told so.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    pub ceiling: i32,
}

impl Default for ReplicaBounds {
    fn default() -> Self {
        Self {
            floor: one(),
            ceiling: hundred(),
        }
    }
}

fn one() -> i32 {
    1
}

fn hundred() -> i32 {
    100
}

/// The service mesh.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mesh {
    /// How pods join the mesh.
    #[serde(default)]
    pub mode: MeshMode,
    /// Namespace of istiod.
    #[serde(default = "ingress_namespace")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Trust domain of the mesh.
    #[serde(default = "cluster_local")]
    #[schemars(length(min = 1, max = 253))]
    pub trust_domain: String,
}

impl Default for Mesh {
    fn default() -> Self {
        Self {
            mode: MeshMode::default(),
            namespace: ingress_namespace(),
            trust_domain: cluster_local(),
        }
    }
}

fn cluster_local() -> String {
    "cluster.local".to_owned()
}

/// How pods join the mesh.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum MeshMode {
    /// With a proxy in each pod.
    #[default]
    Sidecar,
    /// With a proxy on each node.
    Ambient,
    /// Not at all: no Istio objects but those for routes are made.
    None,
}

/// Prometheus and Grafana.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Monitoring {
    /// Whether the Prometheus operator is there, so that ServiceMonitors and PrometheusRules are made.
    #[serde(default = "yes")]
    pub prometheus_operator: bool,
    /// Whether dashboards are made (ConfigMaps with the label `grafana_dashboard: "1"`).
    #[serde(default = "yes")]
    pub dashboards: bool,
    /// Namespace of Prometheus, which may scrape.
    #[serde(default = "monitoring_namespace")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Labels that Prometheus selects ServiceMonitors and PrometheusRules by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self {
            prometheus_operator: yes(),
            dashboards: yes(),
            namespace: monitoring_namespace(),
            labels: BTreeMap::new(),
        }
    }
}

fn yes() -> bool {
    true
}

fn monitoring_namespace() -> String {
    "monitoring".to_owned()
}

/// Where DNS is answered.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dns {
    /// Namespace of the DNS server's pods.
    #[serde(default = "kube_system")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            namespace: kube_system(),
        }
    }
}

fn kube_system() -> String {
    "kube-system".to_owned()
}

/// What patches may change.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowedPatch {
    /// Kind of the generated object, such as `Deployment`.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Fields that may be set, with all below them, such as `spec.template.spec.terminationGracePeriodSeconds`. Lists
    /// are written without index: `spec.template.spec.containers.resources`.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 253)))]
    pub fields: Vec<String>,
    /// Namespaces that may use it. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 63)))]
    pub namespaces: Vec<String>,
}

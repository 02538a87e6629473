//! `Environment`: the differences between a laptop, staging and production.

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

/// Settings of a cluster that all its applications share. They hold everything that differs between environments, so
/// that applications do not. A cluster has exactly one Environment.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "idp.dev",
    version = "v1alpha1",
    kind = "Environment",
    derive = "PartialEq",
    derive = "Default",
    doc = "Settings of this cluster that all its applications share: base domain, gateway, mesh, sizes, limits and policies.",
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
        .message("gateway.mode Shared requires gateway.shared, the Gateway as namespace/name").field_path(".gateway")
)]
pub struct EnvironmentSpec {
    /// Domain that is appended to host names without dots, such as `apps.example.com`.
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message("write a domain in small letters, such as apps.example.com"))]
    pub base_domain: String,
    /// Istio Gateways for requests from outside the cluster.
    #[serde(default)]
    pub gateway: GatewayPolicy,
    /// Hosts that applications may use. Default: names one label below the base domain.
    #[serde(default)]
    pub hosts: HostPolicy,
    /// Issuer of the certificates of routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<CertificateDefaults>,
    /// Store that secrets are read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<SecretDefaults>,
    /// Rules for container images and registries.
    #[serde(default)]
    pub registry: Registry,
    /// Sizes that applications choose from.
    #[schemars(length(min = 1, max = 32))]
    pub sizes: BTreeMap<String, Size>,
    /// Size for applications that name none.
    #[schemars(length(min = 1, max = 63))]
    pub default_size: String,
    /// Bounds on the number of pods of an application.
    #[serde(default)]
    pub replicas: ReplicaBounds,
    /// The ClaimClass for each engine, such as `postgres`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, String>,
    /// The service mesh.
    #[serde(default)]
    pub mesh: Mesh,
    /// Prometheus and Grafana.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// Location of the DNS server, which applications may call.
    #[serde(default)]
    pub dns: Dns,
    /// Fields that `spec.patches` of applications may change. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub allowed_patches: Vec<AllowedPatch>,
    /// Where pods run, and what applications may choose.
    #[serde(default)]
    pub placement: PlacementPolicy,
    /// IP ranges that applications may connect to, and the cluster's own ranges.
    #[serde(default)]
    pub network: NetworkBounds,
    /// Limits of each application, in addition to `replicas`.
    #[serde(default)]
    pub limits: Limits,
}

/// Istio Gateways for requests from outside the cluster.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayPolicy {
    /// One Istio Gateway for each application, or one for all.
    #[serde(default)]
    pub mode: GatewayMode,
    /// The Gateway for all applications, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 127))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')").message("write the Gateway as namespace/name"))]
    pub shared: Option<String>,
    /// Additional Gateways that routes may name, as `namespace/name`. A namespace may use one if `hosts.allowed` lists
    /// hosts for it at that Gateway.
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
    /// ServiceAccount of the gateway's pods. Applications allow its requests.
    #[serde(default = "ingress_account")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account: String,
    /// Whether routes without encryption (`tls.mode: None`) are allowed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_plaintext: bool,
    /// HTTPS port of the gateway in URLs. Default: 443.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub https_port: Option<i32>,
}

impl GatewayPolicy {
    /// The Gateway that a route names, unless it is the shared Gateway.
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
    /// Each application has a Gateway for its own hosts.
    #[default]
    Dedicated,
    /// All applications use the Gateway `shared`.
    Shared,
    /// No gateway: routes are rejected.
    None,
}

/// Issuer of the certificates of routes.
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

/// Store that secrets are read from.
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
    /// Prefix of an application's remote keys. `{namespace}` and `{application}` are replaced. Each must be followed by
    /// a separator (`/`, `_` or `.`), so that one application's prefix never starts with another's.
    #[serde(default = "tenant_prefix")]
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([A-Za-z0-9/_+=.@-]|\{(namespace|application)\}[/_+=.@])*$')").message("write a path such as {namespace}/{application}/: '/', '_' or '.' must follow {namespace} and {application}"))]
    pub prefix: String,
    /// Default interval between reads of a secret, such as `1h`.
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

/// Rules for container images and registries.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registry {
    /// Replacements of prefixes of image names. The longest match is used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["from".into()]))]
    pub rewrites: Vec<RegistryRewrite>,
    /// Allowed prefixes of image names, after rewriting. Default: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 253)))]
    pub allowed: Vec<String>,
    /// Whether images must have a digest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_digest: bool,
    /// Names of image pull Secrets that exist in each namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 253)))]
    pub pull_secrets: Vec<String>,
}

/// A replacement of a prefix of image names.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryRewrite {
    /// The prefix, ending at a `/`.
    #[schemars(length(min = 1, max = 253))]
    pub from: String,
    /// Its replacement.
    #[schemars(length(max = 253))]
    pub to: String,
}

/// CPU and memory of a size.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Size {
    /// CPU request.
    pub cpu: Quantity,
    /// Memory request and limit.
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
    /// Minimum number of pods. An application that requests fewer gets the minimum, except 0, which always stops it.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub floor: i32,
    /// Maximum number of pods. An application that requests more gets the maximum and a warning.
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
    /// No mesh: the only Istio objects are those for routes.
    None,
}

/// Prometheus and Grafana.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Monitoring {
    /// Whether the Prometheus operator is installed. If so, ServiceMonitors and PrometheusRules are created.
    #[serde(default = "yes")]
    pub prometheus_operator: bool,
    /// Whether dashboards are created (ConfigMaps with the label `grafana_dashboard: "1"`).
    #[serde(default = "yes")]
    pub dashboards: bool,
    /// Namespace of Prometheus. Applications allow its scrapes.
    #[serde(default = "monitoring_namespace")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Labels by which Prometheus selects ServiceMonitors and PrometheusRules.
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

/// Location of the DNS server.
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

/// Fields of a kind that patches may change.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowedPatch {
    /// Kind of the generated object, such as `Deployment`.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Fields that may be set, including all fields below them, such as
    /// `spec.template.spec.terminationGracePeriodSeconds`. Write lists without an index:
    /// `spec.template.spec.containers.resources`.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 253)))]
    pub fields: Vec<String>,
    /// Namespaces whose applications may use it. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 63)))]
    pub namespaces: Vec<String>,
}

//! `WebApplication`: the one resource that a developer writes.

mod access;
mod data;
mod health;
mod operations;
mod scaling;
mod status;
mod traffic;
mod workload;

pub use access::{Access, Cidr, ExternalHost, Inbound, Outbound, Peer};
pub use data::{Bucket, Database, GeneratedSecret, SecretKey, SecretUse, Storage, Volume};
pub use health::{ExecProbe, GrpcProbe, Health, HttpProbe, Probe, TcpProbe};
pub use operations::{
    Availability, ConcurrencyPolicy, Dashboard, Job, Latency, Metrics, Migration, Objective, Observability,
    Patch, Placement, Rollout, RolloutStrategy, Spread, Toleration,
};
pub use scaling::{Autoscaling, CustomMetric, MetricSource};
pub use status::{ChildStatus, WebApplicationStatus};
pub use traffic::{Cors, PathMatch, Redirect, Retries, Route, RouteTls, TlsMode};
pub use workload::{AppProtocol, ConfigFile, EnvVar, PodField, Port, Resources};

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::map_of_any_objects;

/// An application: its image, routes, scaling, data, access and observability. The same file works in every
/// environment; the cluster's Environment holds the differences.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "idp.dev",
    version = "v1alpha1",
    kind = "WebApplication",
    namespaced,
    status = "WebApplicationStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A web application: one resource for its workload, routes, scaling, data, access rules and observability.",
    shortname = "webapp",
    shortname = "wa",
    category = "idp",
    category = "all",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".status.replicas"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", priority = 1),
    printcolumn(name = "Problem", type_ = "string", json_path = ".status.problems[0].message", priority = 1),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$')")
        .message("metadata.name: write at most 40 characters of a-z, 0-9 and '-', beginning with a letter and not ending with '-'; the names of the application's objects are derived from it")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.replicas) && has(self.autoscaling))")
        .message("set either replicas or autoscaling, not both: autoscaling.minReplicas is the number to start with")
        .field_path(".replicas"),
    validation = Rule::new("!has(self.routes) || self.routes.all(r, !has(r.port) || r.port == 'http' && !has(self.ports) || has(self.ports) && self.ports.exists(p, p.name == r.port))")
        .message("routes[].port must be the name of one of ports")
        .field_path(".routes"),
    validation = Rule::new("!has(self.observability) || !has(self.observability.metrics) || !has(self.observability.metrics.port) || self.observability.metrics.port == 'http' && !has(self.ports) || has(self.ports) && self.ports.exists(p, p.name == self.observability.metrics.port)")
        .message("observability.metrics.port must be the name of one of ports")
        .field_path(".observability")
)]
pub struct WebApplicationSpec {
    /// Container image, preferably with a digest (`name@sha256:...`). The Environment may rewrite the registry.
    #[schemars(length(min = 1, max = 500))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[!-~]+$')").message("write an image name without spaces"))]
    pub image: String,
    /// Command that replaces the image's entrypoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Arguments that replace those of the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub args: Vec<String>,
    /// Number of pods, without autoscaling. Default: `replicas.floor` of the Environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: Option<i32>,
    /// Ports that the container listens on. Default: one port `http`, 8080.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = Rule::new("self.all(p, self.exists_one(q, q.port == p.port))")
            .message("two ports have the same port number: write a different number for each")
    )]
    pub ports: Option<Vec<Port>>,
    /// CPU and memory: one of the Environment's sizes, or quantities. Default: `defaultSize` of the Environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Probes: whether a container has started, is alive, and can serve requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Environment variables with plain values. For secret values, use `secrets`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,
    /// Configuration files. A change triggers a rollout.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["path".into()]), validation = Rule::new("self.map(file, size(file.content)).sum() <= 131072").message("the files may have at most 131072 characters together: put large files into the image or a bucket"))]
    pub config_files: Vec<ConfigFile>,
    /// Host names and paths at which the application is reachable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["host".into(), "path".into()]))]
    pub routes: Vec<Route>,
    /// Scales the number of pods by load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// Secrets from the Environment's secret store, as environment variables or files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub secrets: Vec<SecretUse>,
    /// Databases, caches and queues. The Environment determines the provider.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub databases: Vec<Database>,
    /// Buckets and volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    /// Allowed callers and destinations. Connections that are not listed are denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// How a new version replaces the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// A command that must succeed once per image before pods of that image start, such as a database migration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<Migration>,
    /// Commands that run on a schedule, or are started by hand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub jobs: Vec<Job>,
    /// Metrics, service level objectives with alerts, and a dashboard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observability: Option<Observability>,
    /// Where pods may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Changes to generated objects that the Environment allows, for settings without a field of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub patches: Vec<Patch>,
    /// Sections for capabilities that the platform team has added, by the capability's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "map_of_any_objects")]
    #[x_kube(validation = Rule::new("!self.exists(name, name in ['secrets', 'claims', 'certificates'])")
        .message("secrets, claims and certificates are built in: use spec.secrets, spec.databases, spec.storage and spec.routes"))]
    pub capabilities: BTreeMap<String, Value>,
}

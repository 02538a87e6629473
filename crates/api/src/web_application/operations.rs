//! Rollout, migration, jobs, observability, placement and patches.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::{any_object, labels, pods_or_percentage};

/// How a new version replaces the old one.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// How pods are replaced.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == 'Rolling'")
        .message("Canary and BlueGreen are not supported yet: write Rolling, or remove rollout.strategy"))]
    pub strategy: RolloutStrategy,
    /// Extra pods during a rollout: a number or a percentage. Default: 25%.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pods_or_percentage")]
    pub max_surge: Option<IntOrString>,
    /// Pods that may be unavailable during a rollout: a number or a percentage. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pods_or_percentage")]
    pub max_unavailable: Option<IntOrString>,
    /// Seconds without progress after which the rollout is reported as failed. Default: 600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub progress_deadline_seconds: Option<i32>,
}

/// How a new version replaces the old one.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum RolloutStrategy {
    /// Pod by pod.
    #[default]
    Rolling,
    /// A growing share of requests goes to the new version. Not supported yet.
    Canary,
    /// All requests switch at once to the complete new version. Not supported yet.
    BlueGreen,
}

/// A command that must succeed once per image before pods of that image start, such as a database migration.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Migration {
    /// Program and arguments, in the application's image.
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Retries after a failure. Default: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub retries: Option<i32>,
    /// Timeout of all attempts together, in seconds. Default: 600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub timeout_seconds: Option<i64>,
}

/// A command that runs on a schedule, or is started by hand.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Name within the application.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z]([-a-z0-9]*[a-z0-9])?$')").message("write a-z, 0-9 and '-', beginning with a letter and not ending with '-'"))]
    pub name: String,
    /// Cron expression with five fields, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. Without a schedule
    /// the CronJob is suspended: start it with `kubectl create job --from=cronjob/...`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^(@(hourly|daily|midnight|weekly|monthly|yearly|annually)|[^\s]+( [^\s]+){4})$')").message("write five fields separated by single spaces, such as '0 6 * * 1-5', or @hourly, @daily, @weekly, @monthly or @yearly"))]
    pub schedule: Option<String>,
    /// Time zone of the schedule, such as `Europe/Berlin`. Default: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[A-Za-z0-9_+/-]+$')").message("write a time zone such as Europe/Berlin or UTC"))]
    pub time_zone: Option<String>,
    /// Program and arguments, in the application's image.
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// What happens if the previous run is still active.
    #[serde(default)]
    pub concurrency: ConcurrencyPolicy,
    /// Retries after a failure. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub retries: Option<i32>,
    /// Timeout of a run in seconds. Default: 3600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 604800))]
    pub timeout_seconds: Option<i64>,
}

/// What happens if the previous run of a job is still active.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum ConcurrencyPolicy {
    /// The new run is skipped.
    #[default]
    Forbid,
    /// Both run concurrently.
    Allow,
    /// The previous run is stopped.
    Replace,
}

/// Metrics, service level objectives with alerts, and a dashboard.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Observability {
    /// Where Prometheus scrapes the application's own metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
    /// Service level objectives. Each creates burn-rate alerts. Measured with the mesh's metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub objectives: Vec<Objective>,
    /// A Grafana dashboard of requests, errors, latency and resources.
    #[serde(default)]
    pub dashboard: Dashboard,
}

/// Whether a dashboard is created.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum Dashboard {
    /// If the Environment has dashboards.
    #[default]
    Enabled,
    /// None.
    Disabled,
}

/// Where Prometheus scrapes the application's own metrics.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// Path.
    #[serde(default = "metrics_path")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^/[^\s*{}[:cntrl:]]*$')").message("write a path that begins with '/', without spaces, braces and '*'"))]
    pub path: String,
    /// Name of the port. Default: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15))]
    pub port: Option<String>,
    /// Scrape interval, such as `30s`. The Environment sets a minimum. Default: Prometheus's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]+(ms|s|m|h))+$')").message("write a duration such as 500ms, 15s or 1m"))]
    pub interval: Option<String>,
}

fn metrics_path() -> String {
    "/metrics".to_owned()
}

/// A service level objective: an availability, or a latency.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.availability) != has(self.latency)").message("write either availability or latency"))]
pub struct Objective {
    /// Name within the application.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z]([-a-z0-9]*[a-z0-9])?$')").message("write a-z, 0-9 and '-', beginning with a letter and not ending with '-'"))]
    pub name: String,
    /// Share of requests without a server error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<Availability>,
    /// Share of requests that are answered within a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// Days over which the objective is measured.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 90))]
    pub window_days: i32,
}

fn thirty() -> i32 {
    30
}

/// Share of requests without a server error.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Availability {
    /// Percentage, such as `"99.9"`.
    #[schemars(length(max = 8))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[1-9][0-9](\.[0-9]{1,4})?$')").message("write a percentage from 10 to 99.9999 in quotes, such as \"99.9\""))]
    pub percent: String,
}

/// Share of requests that are answered within a time.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// Percentage, such as `"99"`.
    #[schemars(length(max = 8))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[1-9][0-9](\.[0-9]{1,4})?$')").message("write a percentage from 10 to 99.9999 in quotes, such as \"99.9\""))]
    pub percent: String,
    /// The time in milliseconds. Must be a bucket of the mesh's histogram.
    #[x_kube(validation = Rule::new("self in [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000]")
        .message("write a bucket of Istio's histogram: 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000 or 60000"))]
    pub milliseconds: i32,
}

/// Where pods may run.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// How pods are spread.
    #[serde(default)]
    pub spread: Spread,
    /// Labels that a node must have, in addition to those that the Environment requires.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels")]
    pub node_selector: BTreeMap<String, String>,
    /// Tolerations, from those that the Environment allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<Toleration>,
    /// Priority class of the pods, from those that the Environment allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class: Option<String>,
}

/// How pods are spread, if possible.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum Spread {
    /// Across zones, and across nodes within a zone.
    #[default]
    Zones,
    /// Across nodes.
    Nodes,
    /// Not spread.
    None,
}

/// A toleration of a taint.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Toleration {
    /// Key of the taint.
    #[schemars(length(min = 1, max = 316))]
    pub key: String,
    /// Value of the taint. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub value: Option<String>,
    /// Effect of the taint: `NoSchedule`, `PreferNoSchedule` or `NoExecute`. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^(NoSchedule|PreferNoSchedule|NoExecute)$')").message("write NoSchedule, PreferNoSchedule or NoExecute"))]
    pub effect: Option<String>,
}

/// A change to a generated object.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Patch {
    /// Kind of the generated object, such as `Deployment`.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Name of the generated object. Default: all objects of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
    /// The fields to set. Lists of built-in kinds are merged by key (containers by name), as with `kubectl apply`;
    /// lists of other kinds are replaced.
    #[schemars(schema_with = "any_object")]
    pub merge: Value,
}

//! Autoscaling.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Scales the number of pods by load. If several metrics are set, the highest result is used.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.minReplicas) || self.minReplicas <= self.maxReplicas")
        .message("minReplicas must not be greater than maxReplicas").field_path(".minReplicas"),
    validation = Rule::new("has(self.cpuPercent) || has(self.memoryPercent) || has(self.requestsPerSecond) || has(self.custom) && self.custom.size() > 0")
        .message("name at least one metric: cpuPercent, memoryPercent, requestsPerSecond or custom")
)]
pub struct Autoscaling {
    /// Minimum number of pods. Default: `replicas.floor` of the Environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: Option<i32>,
    /// Maximum number of pods, up to `replicas.ceiling` of the Environment.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,
    /// Target CPU usage, as a percentage of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub cpu_percent: Option<i32>,
    /// Target memory usage, as a percentage of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub memory_percent: Option<i32>,
    /// Target requests per second and pod, measured by the mesh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000000))]
    pub requests_per_second: Option<i32>,
    /// Custom metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub custom: Vec<CustomMetric>,
    /// Seconds of low load before pods are removed. Default: 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub scale_down_after_seconds: Option<i32>,
}

/// A custom metric.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomMetric {
    /// Name of the metric in the metrics API.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Where it is measured.
    #[serde(default)]
    pub source: MetricSource,
    /// Labels that select the series.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::schema::labels")]
    pub labels: BTreeMap<String, String>,
    /// Target average per pod.
    pub average: Quantity,
}

/// Where a metric is measured.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum MetricSource {
    /// On the application's pods.
    #[default]
    Pods,
    /// Outside the cluster, such as the length of a queue.
    External,
}

//! Autoscaling.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Number of pods by load. Of several metrics, the one that wants most pods wins.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.minReplicas) || self.minReplicas <= self.maxReplicas")
        .message("minReplicas must not be greater than maxReplicas").field_path(".minReplicas"),
    validation = Rule::new("has(self.cpuPercent) || has(self.memoryPercent) || has(self.requestsPerSecond) || has(self.custom) && self.custom.size() > 0")
        .message("name at least one metric: cpuPercent, memoryPercent, requestsPerSecond or custom")
)]
pub struct Autoscaling {
    /// Fewest pods. Default: the Environment's replica floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: Option<i32>,
    /// Most pods; the Environment's replica ceiling bounds it.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,
    /// Wanted CPU use, in per cent of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub cpu_percent: Option<i32>,
    /// Wanted memory use, in per cent of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub memory_percent: Option<i32>,
    /// Wanted requests per second and pod, as the mesh counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000000))]
    pub requests_per_second: Option<i32>,
    /// Metrics of one's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub custom: Vec<CustomMetric>,
    /// Seconds of low load before pods are taken away. Default 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub scale_down_after_seconds: Option<i32>,
}

/// A metric of one's own.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomMetric {
    /// Name under which the metrics API knows it.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Where it is measured.
    #[serde(default)]
    pub source: MetricSource,
    /// Labels that select the series.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::schema::labels")]
    pub labels: BTreeMap<String, String>,
    /// Wanted average for a pod.
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

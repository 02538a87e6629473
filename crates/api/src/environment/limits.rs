//! How much an application may take.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much an application may take, beside `replicas`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Most that one pod may ask for. Default: the largest of `sizes`.
    #[serde(default)]
    pub pod: PodLimits,
    /// Bounds on jobs.
    #[serde(default)]
    pub jobs: JobLimits,
    /// Bounds on the scraping of metrics.
    #[serde(default)]
    pub metrics: MetricsLimits,
    /// Bounds on the reading of secrets.
    #[serde(default)]
    pub secrets: SecretsLimits,
}

/// Most that one pod may ask for.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodLimits {
    /// Most CPU. Default: that of the largest size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Most memory. Default: that of the largest size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
}

/// Bounds on the jobs of an application.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobLimits {
    /// Most pods of all its schedules that may run at the same time: one for each schedule, and where `concurrency` is
    /// Allow, as many as begin within `timeoutSeconds`.
    #[serde(default = "sixteen")]
    #[schemars(range(min = 1, max = 1000))]
    pub parallel_pods: i32,
    /// Least time between two runs of a schedule, such as `5m`.
    #[serde(default = "five_minutes")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]{1,6}(s|m|h))+$')").message("write a duration such as 5m or 1h"))]
    pub least_interval: String,
}

impl Default for JobLimits {
    fn default() -> Self {
        Self {
            parallel_pods: sixteen(),
            least_interval: five_minutes(),
        }
    }
}

fn sixteen() -> i32 {
    16
}

fn five_minutes() -> String {
    "5m".to_owned()
}

/// Bounds on the scraping of metrics.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsLimits {
    /// Least time between two scrapes, such as `15s`.
    #[serde(default = "quarter_minute")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]{1,6}(s|m|h))+$')").message("write a duration such as 15s or 1m"))]
    pub least_interval: String,
    /// Most samples that a pod may answer a scrape with: one that answers with more is not scraped. A million series of
    /// one application would take everybody's Prometheus down.
    #[serde(default = "twenty_thousand")]
    #[schemars(range(min = 1, max = 10000000))]
    pub samples: i32,
}

impl Default for MetricsLimits {
    fn default() -> Self {
        Self {
            least_interval: quarter_minute(),
            samples: twenty_thousand(),
        }
    }
}

fn twenty_thousand() -> i32 {
    20_000
}

fn quarter_minute() -> String {
    "15s".to_owned()
}

/// Bounds on the reading of secrets.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretsLimits {
    /// Least time between two questions to the store for one secret, such as `1m`.
    #[serde(default = "minute")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]{1,6}(s|m|h))+$')").message("write a duration such as 1m or 1h"))]
    pub least_interval: String,
}

impl Default for SecretsLimits {
    fn default() -> Self {
        Self {
            least_interval: minute(),
        }
    }
}

fn minute() -> String {
    "1m".to_owned()
}

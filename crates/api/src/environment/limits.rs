//! Limits of an application.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits of each application, in addition to `replicas`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Maximum resources of a pod. Default: the largest of `sizes`.
    #[serde(default)]
    pub pod: PodLimits,
    /// Limits of jobs.
    #[serde(default)]
    pub jobs: JobLimits,
    /// Limits of metrics scraping.
    #[serde(default)]
    pub metrics: MetricsLimits,
    /// Limits of reading secrets.
    #[serde(default)]
    pub secrets: SecretsLimits,
}

/// Maximum resources of a pod.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodLimits {
    /// Maximum CPU. Default: that of the largest size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Maximum memory. Default: that of the largest size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
}

/// Limits of the jobs of an application.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobLimits {
    /// Maximum number of pods that may run at the same time for all schedules of an application: one for each schedule,
    /// or with `concurrency: Allow`, as many as start within `timeoutSeconds`.
    #[serde(default = "sixteen")]
    #[schemars(range(min = 1, max = 1000))]
    pub parallel_pods: i32,
    /// Minimum interval between two runs of a schedule, such as `5m`.
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

/// Limits of metrics scraping.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsLimits {
    /// Minimum scrape interval, such as `15s`.
    #[serde(default = "quarter_minute")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]{1,6}(s|m|h))+$')").message("write a duration such as 15s or 1m"))]
    pub least_interval: String,
    /// Maximum number of samples in one scrape of a pod. Prometheus drops scrapes with more, so that one application
    /// cannot overload it.
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

/// Limits of reading secrets.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretsLimits {
    /// Minimum interval between reads of a secret from the store, such as `1m`.
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

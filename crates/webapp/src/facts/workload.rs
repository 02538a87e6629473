//! Deployments, ReplicaSets, Jobs and CronJobs.

use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::fields::{conditions, config_maps, text};

/// The facts of a Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentFacts {
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// `spec.replicas`.
    pub wanted: i32,
    /// `status.replicas`.
    pub replicas: i32,
    /// `status.updatedReplicas`.
    pub updated: i32,
    /// `status.readyReplicas`.
    pub ready: i32,
    /// `status.availableReplicas`.
    pub available: i32,
    /// Reason and message of a false `Progressing` or a true `ReplicaFailure` condition.
    pub failure: Option<(String, String)>,
    /// The ConfigMaps that its pods read.
    pub config_maps: Vec<String>,
}

/// State of a Job.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum MigrationState {
    /// Not finished.
    Running,
    /// Complete.
    Succeeded,
    /// Failed, with the Job controller's message.
    Failed(String),
}

/// The facts of a Job.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobFacts {
    /// Its state.
    pub state: MigrationState,
    /// The ConfigMaps that its next pod would read.
    #[serde(default)]
    pub config_maps: Vec<String>,
}

/// A Deployment's numbers of pods, and why it does not progress.
pub fn deployment(object: &DynamicObject) -> Value {
    let status = &object.data["status"];
    let number = |name: &str| status[name].as_i64().unwrap_or_default() as i32;
    let facts = DeploymentFacts {
        generation: object.metadata.generation.unwrap_or_default(),
        observed_generation: status["observedGeneration"].as_i64().unwrap_or_default(),
        wanted: object.data["spec"]["replicas"].as_i64().unwrap_or(1) as i32,
        replicas: number("replicas"),
        updated: number("updatedReplicas"),
        ready: number("readyReplicas"),
        available: number("availableReplicas"),
        failure: conditions(object)
            .find(|c| {
                matches!(
                    (c["type"].as_str(), c["status"].as_str()),
                    (Some("ReplicaFailure"), Some("True")) | (Some("Progressing"), Some("False"))
                )
            })
            .map(|c| (text(&c["reason"]), text(&c["message"]))),
        config_maps: config_maps(&object.data["spec"]["template"]["spec"]),
    };
    serde_json::to_value(facts).unwrap_or_default()
}

/// The ConfigMaps that a ReplicaSet's next pod would read. Null while it has and wants no pods.
pub fn replica_set(object: &DynamicObject) -> Value {
    let some = |of: &str| object.data[of]["replicas"].as_i64().unwrap_or_default() > 0;
    let used = config_maps(&object.data["spec"]["template"]["spec"]);
    if used.is_empty() || !(some("spec") || some("status")) {
        return Value::Null;
    }
    json!(used)
}

/// The ConfigMaps that a CronJob's next run would read.
pub fn cron_job(object: &DynamicObject) -> Value {
    json!(config_maps(
        &object.data["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    ))
}

/// A Job's state, and the ConfigMaps that it reads until it has finished.
pub fn job(object: &DynamicObject) -> Value {
    let state = conditions(object)
        .filter(|c| c["status"] == "True")
        .find_map(|c| match c["type"].as_str() {
            Some("Complete") => Some(MigrationState::Succeeded),
            Some("Failed") => Some(MigrationState::Failed(text(&c["message"]))),
            _ => None,
        })
        .unwrap_or(MigrationState::Running);
    let config_maps = match state {
        MigrationState::Running => config_maps(&object.data["spec"]["template"]["spec"]),
        MigrationState::Succeeded | MigrationState::Failed(_) => Vec::new(),
    };
    serde_json::to_value(JobFacts { state, config_maps }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::pod;

    fn object(value: Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn config_is_used_by_what_runs_or_will_make_a_pod() {
        let spec = json!({"volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "config", "configMap": {"name": "shop-config-1"}}]});
        let pod_in = |phase: &str| {
            pod(&object(
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec, "status": {"phase": phase}}),
            ))
        };
        assert_eq!(pod_in("Running")["configMaps"], json!(["shop-config-1"]));
        assert_eq!(pod_in("Pending")["configMaps"], json!(["shop-config-1"]));
        assert_eq!(
            (pod_in("Succeeded"), pod_in("Failed")),
            (Value::Null, Value::Null)
        );
        let set = |wanted: i64, present: i64| {
            replica_set(&object(
                json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {},
                "spec": {"replicas": wanted, "template": {"spec": spec}}, "status": {"replicas": present}}),
            ))
        };
        let used = json!(["shop-config-1"]);
        assert_eq!(
            (set(2, 0), set(0, 1), set(0, 0)),
            (used.clone(), used.clone(), Value::Null)
        );
        let job_at = |conditions: Value| {
            job(&object(
                json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {},
                "spec": {"template": {"spec": spec}}, "status": {"conditions": conditions}}),
            ))
        };
        assert_eq!(job_at(json!([]))["configMaps"], used);
        assert_eq!(
            job_at(json!([{"type": "Complete", "status": "True"}]))["configMaps"],
            json!([])
        );
    }

    #[test]
    fn jobs_complete_or_fail() {
        let with = |kind: &str| {
            job(&object(
                json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {},
            "status": {"conditions": [{"type": kind, "status": "True", "message": "why"}]}}),
            ))["state"]
                .clone()
        };
        assert_eq!(with("Complete"), json!("Succeeded"));
        assert_eq!(with("Failed"), json!({"Failed": "why"}));
        assert_eq!(with("Suspended"), json!("Running"));
    }
}

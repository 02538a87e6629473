//! What the caches remember of watched objects: a few fields of each, so that thousands cost little memory.

use idp_core::{labels, names::host_terms};
use idp_runtime::ObjectKey;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::observed::{DeploymentFacts, JobFacts, MigrationState, PodFacts, PodFailure, Routed};

/// Of an Environment: its spec.
pub fn environment(object: &DynamicObject) -> Value {
    object.data["spec"].clone()
}

/// Of a VirtualService: its hosts, and the application that its labels name.
pub fn virtual_service(object: &DynamicObject) -> Value {
    let hosts = object.data["spec"]["hosts"].as_array().into_iter().flatten();
    let labels = object.metadata.labels.as_ref();
    json!(Routed {
        hosts: hosts.filter_map(Value::as_str).map(str::to_owned).collect(),
        application: labels.and_then(|labels| labels.get(labels::APPLICATION)).cloned(),
    })
}

/// What a VirtualService is looked up by: what overlaps with its hosts.
pub fn virtual_service_terms(object: &DynamicObject) -> Vec<String> {
    let hosts = object.data["spec"]["hosts"].as_array();
    host_terms(hosts.into_iter().flatten().filter_map(Value::as_str))
}

/// Selects the VirtualServices that no application made.
pub const NOT_OURS: &str = "app.kubernetes.io/managed-by!=idp-webapp";

/// Of a VirtualService of somebody else: its hosts, if it answers for them at a gateway and not in the mesh alone.
pub fn routed(object: &DynamicObject) -> Value {
    let gateways = object.data["spec"]["gateways"].as_array().into_iter().flatten();
    if gateways.into_iter().any(|gateway| gateway != "mesh") {
        virtual_service(object)
    } else {
        json!(Routed::default())
    }
}

/// Of a Namespace: its labels.
pub fn namespace(object: &DynamicObject) -> Value {
    json!(object.metadata.labels)
}

/// Of a Deployment: numbers of pods, and why they do not come up.
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

/// Of a ReplicaSet: the ConfigMaps that its next pod would read; nothing while it has no pods, and wants none.
pub fn replica_set(object: &DynamicObject) -> Value {
    let some = |of: &str| object.data[of]["replicas"].as_i64().unwrap_or_default() > 0;
    let used = config_maps(&object.data["spec"]["template"]["spec"]);
    if used.is_empty() || !(some("spec") || some("status")) {
        return Value::Null;
    }
    json!(used)
}

/// Of a CronJob: the ConfigMaps that its next run would read.
pub fn cron_job(object: &DynamicObject) -> Value {
    json!(config_maps(
        &object.data["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    ))
}

/// Of a ConfigMap: that it is there.
pub fn config_map(_: &DynamicObject) -> Value {
    Value::Bool(true)
}

/// Names of the ConfigMaps that a pod of this spec mounts.
fn config_maps(pod: &Value) -> Vec<String> {
    let volumes = pod["volumes"].as_array().into_iter().flatten();
    volumes
        .filter_map(|volume| volume["configMap"]["name"].as_str())
        .map(str::to_owned)
        .collect()
}

/// Of a Job: how far it is, and what it reads until it has ended.
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

/// Of a Pod: why it does not work, and what it reads; nothing of one that works, or is merely starting, without files.
pub fn pod(object: &DynamicObject) -> Value {
    let name = object.metadata.name.clone().unwrap_or_default();
    let failure = unschedulable(object).or_else(|| container_failure(object));
    let failure = failure.filter(|_| object.metadata.deletion_timestamp.is_none());
    let ended = matches!(
        object.data["status"]["phase"].as_str(),
        Some("Succeeded" | "Failed")
    );
    let facts = PodFacts {
        failure: failure.map(|(reason, message)| PodFailure {
            pod: name,
            reason,
            message,
        }),
        config_maps: if ended {
            Vec::new()
        } else {
            config_maps(&object.data["spec"])
        },
    };
    if facts == PodFacts::default() {
        return Value::Null;
    }
    json!(facts)
}

/// The application that a pod belongs to.
pub fn pod_application(object: &DynamicObject) -> Option<ObjectKey> {
    let application = object.metadata.labels.as_ref()?.get(labels::APPLICATION)?;
    Some(ObjectKey::new(object.metadata.namespace.as_deref()?, application))
}

fn unschedulable(object: &DynamicObject) -> Option<(String, String)> {
    let condition = conditions(object).find(|c| c["type"] == "PodScheduled" && c["status"] == "False")?;
    Some((text(&condition["reason"]), text(&condition["message"])))
}

fn container_failure(object: &DynamicObject) -> Option<(String, String)> {
    let statuses = ["initContainerStatuses", "containerStatuses"];
    statuses
        .iter()
        .flat_map(|list| object.data["status"][list].as_array().into_iter().flatten())
        .find_map(|status| {
            let waiting = &status["state"]["waiting"];
            match waiting["reason"].as_str() {
                None | Some("ContainerCreating" | "PodInitializing") => {}
                // The kubelet alternates between the two while it backs off: one name, or the status would flap.
                Some("ErrImagePull" | "ImagePullBackOff") => {
                    return Some((
                        "ImagePullBackOff".into(),
                        format!("the image {} cannot be pulled", status["image"]),
                    ));
                }
                Some("CrashLoopBackOff") => {}
                Some(reason) => return Some((reason.to_owned(), text(&waiting["message"]))),
            }
            // Between two crashes a container runs for a moment: what counts is that it died and is not ready.
            let died = &status["lastState"]["terminated"];
            let crashed = status["ready"] == false && died.is_object();
            crashed.then(|| {
                let message = format!(
                    "the container ended with exit code {} ({})",
                    died["exitCode"],
                    text(&died["reason"])
                );
                ("CrashLoopBackOff".to_owned(), message)
            })
        })
}

fn conditions(object: &DynamicObject) -> impl Iterator<Item = &Value> {
    object.data["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn image_pull_errors_do_not_flap() {
        let pod_with = |reason: &str| {
            pod(&object(
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": {
                "containerStatuses": [{"ready": false, "image": "x:1", "state": {"waiting": {"reason": reason}}}]}}),
            ))
        };
        assert_eq!(pod_with("ErrImagePull"), pod_with("ImagePullBackOff"));
        assert_eq!(pod_with("ContainerCreating"), Value::Null);
    }

    #[test]
    fn a_crash_is_seen_while_the_container_runs_again() {
        let facts = pod(&object(
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": {
            "containerStatuses": [{"ready": false, "state": {"running": {}},
                "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}}]}}),
        ));
        assert_eq!(facts["failure"]["reason"], "CrashLoopBackOff");
        assert_eq!(
            facts["failure"]["message"],
            "the container ended with exit code 3 (Error)"
        );
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
    fn jobs_end_well_or_badly() {
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

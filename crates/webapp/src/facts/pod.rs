//! Pods: why they do not run, and which ConfigMaps they read.

use idp_core::labels;
use idp_runtime::ObjectKey;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::fields::{conditions, config_maps, text};

/// The facts of a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodFacts {
    /// Why it does not run, if it does not.
    pub failure: Option<PodFailure>,
    /// The ConfigMaps that it reads.
    pub config_maps: Vec<String>,
}

/// Why a pod does not run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodFailure {
    /// Name of the pod.
    pub pod: String,
    /// The kubelet's or the scheduler's reason, such as `ImagePullBackOff` or `Unschedulable`.
    pub reason: String,
    /// The message.
    pub message: String,
}

/// A pod's failure, and the ConfigMaps that it reads. Null for a pod that works or is starting, and reads none.
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
                // The kubelet alternates between the two while it backs off. With one reason, the status does not flap.
                Some("ErrImagePull" | "ImagePullBackOff") => {
                    return Some((
                        "ImagePullBackOff".into(),
                        format!("The image {} cannot be pulled.", status["image"]),
                    ));
                }
                Some("CrashLoopBackOff") => {}
                Some(reason) => return Some((reason.to_owned(), text(&waiting["message"]))),
            }
            // Between two crashes a container runs for a moment: it counts as crashed while it is not ready.
            let died = &status["lastState"]["terminated"];
            let crashed = status["ready"] == false && died.is_object();
            crashed.then(|| {
                let message = format!(
                    "The container ended with exit code {} ({}).",
                    died["exitCode"],
                    text(&died["reason"])
                );
                ("CrashLoopBackOff".to_owned(), message)
            })
        })
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
            "The container ended with exit code 3 (Error)."
        );
    }
}

//! What the caches remember of watched objects: a few fields of each, so that thousands cost little memory.

mod fields;
mod pod;
mod virtual_service;
mod workload;

use kube::core::DynamicObject;
use serde_json::{Value, json};

pub use self::{
    pod::{PodFacts, PodFailure, pod, pod_application},
    virtual_service::{NOT_OURS, VirtualServiceFacts, routed, virtual_service, virtual_service_terms},
    workload::{DeploymentFacts, JobFacts, MigrationState, cron_job, deployment, job, replica_set},
};

/// Of an Environment: its spec.
pub fn environment(object: &DynamicObject) -> Value {
    object.data["spec"].clone()
}

/// Of a Namespace: its labels.
pub fn namespace(object: &DynamicObject) -> Value {
    json!(object.metadata.labels)
}

/// Of a ConfigMap: that it is there.
pub fn config_map(_: &DynamicObject) -> Value {
    Value::Bool(true)
}

//! Facts: the few fields of watched objects that the caches keep, so that thousands of objects need little memory.

mod fields;
mod pod;
mod virtual_service;
mod workload;

use kube::core::DynamicObject;
use serde_json::{Value, json};

pub use self::{
    pod::{PodFacts, PodFailure, pod, pod_application},
    virtual_service::{
        NOT_OURS, VirtualServiceFacts, foreign_virtual_service, virtual_service, virtual_service_terms,
    },
    workload::{DeploymentFacts, JobFacts, MigrationState, cron_job, deployment, job, replica_set},
};

/// An Environment's spec.
pub fn environment(object: &DynamicObject) -> Value {
    object.data["spec"].clone()
}

/// A Namespace's labels.
pub fn namespace(object: &DynamicObject) -> Value {
    json!(object.metadata.labels)
}

/// A ConfigMap: that it exists.
pub fn config_map(_: &DynamicObject) -> Value {
    Value::Bool(true)
}

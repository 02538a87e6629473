//! The types of patched objects.

use idp_core::Kind;
use k8s_openapi::api::{
    apps::v1::Deployment,
    autoscaling::v2::HorizontalPodAutoscaler,
    batch::v1::{CronJob, Job},
    core::v1::{ConfigMap, PodSpec, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::kinds;

/// Whether an object fits the type of its kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// It does, or the kind has no type here: the API server checks it.
    Fits,
    /// It has a field that the kind does not have.
    Unknown(String),
    /// A field has a value of the wrong type.
    Wrong(String),
}

type Retype = fn(&Value) -> Result<Value, serde_json::Error>;

/// Converts to the type and back, which drops unknown fields.
fn retyped<K: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(K::deserialize(object)?)
}

fn type_of(kind: Kind) -> Option<Retype> {
    let types: [(Kind, Retype); 9] = [
        (kinds::SERVICE_ACCOUNT, retyped::<ServiceAccount>),
        (kinds::CONFIG_MAP, retyped::<ConfigMap>),
        (kinds::SERVICE, retyped::<Service>),
        (kinds::DEPLOYMENT, retyped::<Deployment>),
        (kinds::JOB, retyped::<Job>),
        (kinds::CRON_JOB, retyped::<CronJob>),
        (kinds::AUTOSCALER, retyped::<HorizontalPodAutoscaler>),
        (kinds::DISRUPTION_BUDGET, retyped::<PodDisruptionBudget>),
        (kinds::NETWORK_POLICY, retyped::<NetworkPolicy>),
    ];
    types
        .into_iter()
        .find(|(typed, _)| *typed == kind)
        .map(|(_, retype)| retype)
}

/// Whether the kind is built in, with a known type.
pub(super) fn is_typed(kind: Kind) -> bool {
    type_of(kind).is_some()
}

/// Checks an object against the type of its kind.
pub(super) fn check(kind: Kind, object: &Value) -> Checked {
    let Some(retype) = type_of(kind) else {
        return Checked::Fits;
    };
    match retype(object) {
        Err(error) => Checked::Wrong(error.to_string()),
        Ok(known) => lost(object, &known).map_or(Checked::Fits, Checked::Unknown),
    }
}

/// The first field of `object` that `known` does not have.
fn lost(object: &Value, known: &Value) -> Option<String> {
    match (object, known) {
        (Value::Object(fields), Value::Object(known)) => fields.iter().find_map(|(name, value)| {
            let Some(known) = known.get(name) else {
                return Some(name.clone());
            };
            lost(value, known).map(|rest| format!("{name}.{rest}"))
        }),
        (Value::Array(items), Value::Array(known)) => items
            .iter()
            .zip(known)
            .find_map(|(item, known)| lost(item, known)),
        _ => None,
    }
}

/// The pod spec of an object that passed [`check`], if its kind has one. It always parses: `check` has parsed all of it.
pub(super) fn pod(kind: Kind, object: &Value) -> Option<PodSpec> {
    let template = match kind {
        kinds::DEPLOYMENT | kinds::JOB => "/spec/template/spec",
        kinds::CRON_JOB => "/spec/jobTemplate/spec/template/spec",
        _ => return None,
    };
    PodSpec::deserialize(object.pointer(template)?).ok()
}

//! Objects of kinds without Rust types.

use idp_testkit::TestCluster;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

pub(crate) const READY: &str = "Ready";

pub(crate) fn api(
    cluster: &TestCluster,
    api_version: &str,
    kind: &str,
    namespace: Option<&str>,
) -> Api<DynamicObject> {
    let (group, version) = api_version.split_once('/').unwrap();
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    match namespace {
        Some(namespace) => Api::namespaced_with(cluster.client.clone(), namespace, &kind),
        None => Api::all_with(cluster.client.clone(), &kind),
    }
}

pub(crate) async fn set_condition(objects: &Api<DynamicObject>, name: &str, condition: &str, status: &Value) {
    let mut status = status.clone();
    status["conditions"] = json!([{
        "type": condition, "status": "True", "reason": "Test", "message": "by the test",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]);
    let patch = Patch::Merge(json!({ "status": status }));
    objects
        .patch_status(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

pub(crate) async fn is(objects: &Api<DynamicObject>, name: &str, condition: &str) -> Result<(), String> {
    let object = objects.get(name).await.map_err(|error| error.to_string())?;
    let conditions = object.data["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let found = conditions.iter().find(|found| found["type"] == condition);
    match found {
        Some(found) if found["status"] == "True" => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

pub(crate) async fn has(secrets: &Api<Secret>, key: &str, value: &str) -> Result<(), String> {
    let listed = secrets
        .list(&ListParams::default())
        .await
        .map_err(|error| error.to_string())?;
    let mut values = listed
        .items
        .iter()
        .filter_map(|secret| secret.data.as_ref()?.get(key));
    if values.any(|found| found.0 == value.as_bytes()) {
        Ok(())
    } else {
        Err(format!("no Secret with {key}={value}"))
    }
}

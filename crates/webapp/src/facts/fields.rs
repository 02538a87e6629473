//! Fields that several kinds have.

use kube::core::DynamicObject;
use serde_json::Value;

/// Names of the ConfigMaps that a pod of this spec mounts.
pub(super) fn config_maps(pod: &Value) -> Vec<String> {
    let volumes = pod["volumes"].as_array().into_iter().flatten();
    volumes
        .filter_map(|volume| volume["configMap"]["name"].as_str())
        .map(str::to_owned)
        .collect()
}

pub(super) fn conditions(object: &DynamicObject) -> impl Iterator<Item = &Value> {
    object.data["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

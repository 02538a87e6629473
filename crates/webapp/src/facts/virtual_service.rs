//! VirtualServices: which hosts they serve.

use idp_core::{labels, names::host_terms};
use kube::core::DynamicObject;
use serde_json::{Value, json};

/// What is remembered of a VirtualService.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VirtualServiceFacts {
    /// The hosts that it answers for.
    pub hosts: Vec<String>,
    /// The application that its labels name: for messages only, as anybody can write labels.
    pub application: Option<String>,
}

/// Of a VirtualService: its hosts, and the application that its labels name.
pub fn virtual_service(object: &DynamicObject) -> Value {
    let hosts = object.data["spec"]["hosts"].as_array().into_iter().flatten();
    let labels = object.metadata.labels.as_ref();
    json!(VirtualServiceFacts {
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
        json!(VirtualServiceFacts::default())
    }
}

//! VirtualServices: which hosts they serve.

use idp_core::{labels, names::host_terms};
use kube::core::DynamicObject;
use serde_json::{Value, json};

/// The facts of a VirtualService.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VirtualServiceFacts {
    /// The hosts that it serves.
    pub hosts: Vec<String>,
    /// The application that its labels name. For messages only, because anyone can write labels.
    pub application: Option<String>,
}

/// A VirtualService's hosts, and the application that its labels name.
pub fn virtual_service(object: &DynamicObject) -> Value {
    let hosts = object.data["spec"]["hosts"].as_array().into_iter().flatten();
    let labels = object.metadata.labels.as_ref();
    json!(VirtualServiceFacts {
        hosts: hosts.filter_map(Value::as_str).map(str::to_owned).collect(),
        application: labels.and_then(|labels| labels.get(labels::APPLICATION)).cloned(),
    })
}

/// The index terms of a VirtualService: everything that overlaps with its hosts.
pub fn virtual_service_terms(object: &DynamicObject) -> Vec<String> {
    let hosts = object.data["spec"]["hosts"].as_array();
    host_terms(hosts.into_iter().flatten().filter_map(Value::as_str))
}

/// Selects the VirtualServices that do not belong to applications.
pub const NOT_OURS: &str = "app.kubernetes.io/managed-by!=idp-webapp";

/// The facts of another owner's VirtualService: its hosts, if it serves them at a gateway and not only in the mesh.
pub fn foreign_virtual_service(object: &DynamicObject) -> Value {
    let gateways = object.data["spec"]["gateways"].as_array().into_iter().flatten();
    if gateways.into_iter().any(|gateway| gateway != "mesh") {
        virtual_service(object)
    } else {
        json!(VirtualServiceFacts::default())
    }
}

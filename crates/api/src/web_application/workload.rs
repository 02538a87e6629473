//! The workload: ports, resources, environment variables, files.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A port that the container listens on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Name of the port, such as `http`; routes refer to it.
    #[schemars(length(min = 1, max = 15))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z]([-a-z0-9]*[a-z0-9])?$')").message("write a-z, 0-9 and '-', beginning with a letter and not ending with '-'"))]
    pub name: String,
    /// Port number in the container; above 1023, because containers do not run as root.
    #[schemars(range(min = 1024, max = 65535))]
    pub port: i32,
    /// Port number of the Service. Default: 80 for the first port, the container's port for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub service_port: Option<i32>,
    /// Protocol of the port.
    #[serde(default)]
    pub protocol: AppProtocol,
}

/// Protocol on top of TCP.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum AppProtocol {
    /// HTTP/1.1.
    #[default]
    Http,
    /// HTTP/2 without TLS.
    Http2,
    /// gRPC.
    Grpc,
    /// Any TCP protocol. Routes cannot use it.
    Tcp,
}

/// CPU and memory of a pod.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.size) != (has(self.cpu) || has(self.memory))")
    .message("write either size, or cpu and memory"),
    validation = Rule::new("has(self.cpu) == has(self.memory)").message("write both cpu and memory"))]
pub struct Resources {
    /// One of the Environment's sizes, such as `small`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub size: Option<String>,
    /// CPU request, such as `250m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Memory request and limit, such as `256Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// CPU limit. Default: none, so that pods can use idle CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_limit: Option<Quantity>,
}

/// An environment variable.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.value) != has(self.fromField)").message("write either value or fromField"))]
pub struct EnvVar {
    /// Name of the variable.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[A-Za-z_][A-Za-z0-9_]*$')").message("write letters, digits and '_', not beginning with a digit"))]
    pub name: String,
    /// Value, as text; `$(OTHER)` refers to another variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32768))]
    pub value: Option<String>,
    /// A field of the pod as the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_field: Option<PodField>,
}

/// A field of a pod.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum PodField {
    /// Name of the pod.
    PodName,
    /// Namespace of the pod.
    PodNamespace,
    /// IP address of the pod.
    PodIp,
    /// Name of the node that the pod runs on.
    NodeName,
}

/// A configuration file in the container.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!self.path.contains('..')").message("write path without '..'").field_path(".path"))]
pub struct ConfigFile {
    /// Absolute path of the file in the container.
    #[schemars(length(min = 2, max = 255))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^/[A-Za-z0-9._/-]*[A-Za-z0-9._-]$')").message("write an absolute path of letters, digits, '.', '_', '-' and '/', not ending with '/'"))]
    pub path: String,
    /// Content of the file. It is stored in a ConfigMap: do not put secrets here.
    #[schemars(length(max = 131072))]
    pub content: String,
}

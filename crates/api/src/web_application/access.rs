//! Allowed callers and destinations of an application.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Allowed connections. Everything else is denied in both directions, except DNS, the gateway (if there are routes) and
/// metrics scraping (if declared).
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Allowed callers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub inbound: Vec<Inbound>,
    /// Allowed destinations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub outbound: Vec<Outbound>,
}

/// An allowed caller: an application, or a whole namespace.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.application) || has(self.namespace)")
    .message("write application, or namespace, or both; '*' as namespace means the whole cluster"))]
pub struct Inbound {
    /// Name of the calling application. Default: every pod of the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z]([-a-z0-9]*[a-z0-9])?$')").message("write the name of an application: a-z, 0-9 and '-'"))]
    pub application: Option<String>,
    /// Namespace of the caller; `*` for all. Default: the application's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new(r"self == '*' || self.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("write the name of a namespace, or '*' for all"))]
    pub namespace: Option<String>,
    /// Names of allowed ports. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 15)))]
    pub ports: Vec<String>,
    /// Allowed HTTP methods. Requires the mesh. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 16)))]
    #[x_kube(validation = Rule::new(r"self.all(x, x.matches(r'^([A-Z]+|[*])$'))").message("write methods in capitals, such as GET"))]
    pub methods: Vec<String>,
    /// Allowed HTTP paths, each exact or ending with `*`. Requires the mesh. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 1024)))]
    #[x_kube(validation = Rule::new(r"self.all(x, x.matches(r'^([*]|/[^\s{}*]*[*]?)$'))").message("write a path that begins with '/', exact or ending with '*', without spaces and braces"))]
    pub paths: Vec<String>,
}

/// An allowed destination: exactly one of `application`, `external` and `cidr`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.application), has(self.external), has(self.cidr)].filter(x, x).size() == 1")
    .message("write exactly one of application, external and cidr"))]
pub struct Outbound {
    /// Another application in the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Peer>,
    /// A host outside the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalHost>,
    /// A range of IP addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<Cidr>,
}

/// Another application in the cluster.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// Its name.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z]([-a-z0-9]*[a-z0-9])?$')").message("write the name of an application: a-z, 0-9 and '-'"))]
    pub name: String,
    /// Its namespace. Default: the application's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("write the name of a namespace: a-z, 0-9 and '-'"))]
    pub namespace: Option<String>,
}

/// A host outside the cluster.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalHost {
    /// Host name, such as `api.example.com`; `*.example.com` for all its subdomains.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$')").message("write a complete host name in small letters, such as api.example.com or *.example.com"))]
    pub host: String,
    /// Port. Default 443.
    #[serde(default = "https")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
}

fn https() -> i32 {
    443
}

/// A range of IP addresses that the Environment allows.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cidr {
    /// The range in CIDR notation, such as `10.1.0.0/16`.
    #[schemars(length(min = 1, max = 43))]
    #[x_kube(validation = Rule::new("isCIDR(self)").message("write a range such as 10.1.0.0/16 or 2001:db8::/32"))]
    pub range: String,
    /// Allowed TCP ports; at least one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(range(min = 1, max = 65535)))]
    pub ports: Vec<i32>,
}

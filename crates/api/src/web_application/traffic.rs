//! Routes.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A host name and path at which the application is reachable.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.redirect) || !(has(self.rewrite) || has(self.timeout) || has(self.retries) || has(self.port))")
        .message("port, rewrite, timeout and retries cannot be used with redirect"),
    validation = Rule::new("!(has(self.host) && self.host.startsWith('*.') && has(self.tls) && has(self.tls.mode) && self.tls.mode == 'Auto')")
        .message("no certificate is issued automatically for a wildcard host: set tls.mode to Secret and secretName, or list the hosts one by one")
)]
pub struct Route {
    /// Host name, such as `shop.example.com`. The Environment's base domain is appended to a name without dots.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message("write a host name in small letters, such as shop.example.com, or shop for shop.<base domain>"))]
    pub host: String,
    /// Path.
    #[serde(default = "root")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^/[^\s?#[:cntrl:]]*$')").message("write a path that begins with '/' and has no spaces, '?' or '#'"))]
    pub path: String,
    /// How the path is matched.
    #[serde(default)]
    pub path_match: PathMatch,
    /// Name of the port. Default: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15))]
    pub port: Option<String>,
    /// Responds with a redirect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<Redirect>,
    /// Replaces the matched part of the path before the request reaches the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^/[^\s?#[:cntrl:]]*$')").message("write a path that begins with '/' and has no spaces, '?' or '#'"))]
    pub rewrite: Option<String>,
    /// Timeout of a request including all retries, such as `15s`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$')").message("write a duration such as 500ms, 15s, 5m or 1h30m"))]
    pub timeout: Option<String>,
    /// Retries of failed requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
    /// Web pages of other origins that may call this route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// Encryption between the client and the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<RouteTls>,
    /// An existing Istio Gateway as `namespace/name`, if the Environment allows it. Default: the Environment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 127))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')").message("write the Gateway as namespace/name"))]
    pub gateway: Option<String>,
}

fn root() -> String {
    "/".to_owned()
}

/// How a path is matched.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum PathMatch {
    /// The path and all paths below it.
    #[default]
    Prefix,
    /// Exactly this path.
    Exact,
}

/// A redirect response.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.host) || has(self.path)").message("write host or path, or both"))]
pub struct Redirect {
    /// New host. Default: the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')").message("write a host name in small letters, such as shop.example.com"))]
    pub host: Option<String>,
    /// New path. Default: the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^/[^\s[:cntrl:]]*$')").message("write a path that begins with '/' and has no spaces"))]
    pub path: Option<String>,
    /// Status code: 301, 302, 303, 307 or 308.
    #[serde(default = "moved_permanently")]
    #[x_kube(validation = Rule::new("self in [301, 302, 303, 307, 308]").message("write 301, 302, 303, 307 or 308"))]
    pub code: i32,
}

fn moved_permanently() -> i32 {
    301
}

/// Retries of failed requests.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retries {
    /// Number of retries.
    #[schemars(range(min = 0, max = 10))]
    pub attempts: i32,
    /// Timeout of each attempt, such as `2s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$')").message("write a duration such as 500ms, 15s, 5m or 1h30m"))]
    pub per_try_timeout: Option<String>,
    /// Failures to retry, by Envoy's names. Default: `connect-failure,refused-stream,unavailable`, which are safe to
    /// retry for every method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z0-9-]+(,[a-z0-9-]+)*$')").message("write Envoy's retry conditions, separated by commas, such as connect-failure,503"))]
    pub retry_on: Option<String>,
}

/// Cross-origin resource sharing.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.allowCredentials) && self.allowCredentials && self.allowOrigins.exists(o, o == '*'))")
    .message("allowCredentials cannot be used with the origin '*', which browsers reject: list the origins"))]
pub struct Cors {
    /// Origins, such as `https://shop.example.com`, or `*`.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 253)))]
    #[x_kube(validation = Rule::new(r"self.all(x, x.matches(r'^[!-~]+$'))").message("write an origin such as https://shop.example.com, or '*'"))]
    pub allow_origins: Vec<String>,
    /// Methods. Default: GET, HEAD and POST, which browsers always allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 32)))]
    #[x_kube(validation = Rule::new(r"self.all(x, x.matches(r'^([A-Za-z0-9_-]+|[*])$'))").message("write names of letters, digits, '_' and '-', or '*'"))]
    pub allow_methods: Vec<String>,
    /// Request headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 128)))]
    #[x_kube(validation = Rule::new(r"self.all(x, x.matches(r'^([A-Za-z0-9_-]+|[*])$'))").message("write names of letters, digits, '_' and '-', or '*'"))]
    pub allow_headers: Vec<String>,
    /// Response headers that the page may read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 128)))]
    #[x_kube(validation = Rule::new(r"self.all(x, x.matches(r'^([A-Za-z0-9_-]+|[*])$'))").message("write names of letters, digits, '_' and '-', or '*'"))]
    pub expose_headers: Vec<String>,
    /// Whether browsers send cookies and authorization headers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_credentials: bool,
    /// How long browsers may cache the preflight response, such as `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$')").message("write a duration such as 500ms, 15s, 5m or 1h30m"))]
    pub max_age: Option<String>,
}

/// Encryption of a route.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.mode == 'Secret') == has(self.secretName)")
    .message("secretName is required with mode Secret, and not allowed with other modes"))]
pub struct RouteTls {
    /// Source of the certificate.
    #[serde(default)]
    pub mode: TlsMode,
    /// Secret of type `kubernetes.io/tls` in the gateway's namespace, for mode `Secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,
}

/// Source of a certificate.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum TlsMode {
    /// The platform orders it.
    #[default]
    Auto,
    /// It is in an existing Secret.
    Secret,
    /// No encryption, if the Environment allows it.
    None,
}

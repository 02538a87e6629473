//! Secrets, databases and storage: what the secrets and claims capabilities serve.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A secret of the Environment's secret store.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.mountPath) && has(self.keys) && self.keys.exists(k, has(k.env)))")
        .message("a secret that is mounted as files has no keys[].env: name the secret twice to have both"),
    validation = Rule::new("!(has(self.generate) && (has(self.remoteKey) || has(self.refreshInterval)))")
        .message("a generated secret has no remoteKey and no refreshInterval: it is made once, here").field_path(".generate"),
    validation = Rule::new("!has(self.template) || !has(self.keys) || self.keys.all(k, !has(k.env))")
        .message("with a template, the template's names are the environment variables: take env out of keys").field_path(".template")
)]
pub struct SecretUse {
    /// Name of the secret within the application.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("write a-z, 0-9 and '-', neither beginning nor ending with '-'"))]
    pub name: String,
    /// Key in the remote store, below the prefix that the Environment gives the application. Default: the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 400))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[A-Za-z0-9/_+=.@-]+$')").message("write letters, digits and any of / _ + = . @ -"),
        validation = Rule::new("!self.split('/').exists(part, part == '' || part == '.' || part == '..')").message("write a key below the application's own prefix: it neither begins nor ends with '/', and has no part '.', '..' or ''"))]
    pub remote_key: Option<String>,
    /// Properties wanted of the secret; none means all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["property".into()]))]
    pub keys: Vec<SecretKey>,
    /// Directory in the container where each property becomes a file. Default: environment variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 255))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^/[A-Za-z0-9._/-]*[A-Za-z0-9._-]$')").message("write an absolute path of letters, digits, '.', '_', '-' and '/', not ending with '/'"),
        validation = Rule::new("!self.substring(1).split('/').exists(part, part == '' || part == '.' || part == '..')").message("write the directory itself, without '//', '.' and '..'"))]
    pub mount_path: Option<String>,
    /// How often the store is asked, such as `1h`, and not more often than the Environment allows. Default: the
    /// Environment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]+(s|m|h))+$')").message("write a duration such as 30s, 5m or 1h"))]
    pub refresh_interval: Option<String>,
    /// Values composed of properties, by the name of the environment variable or file that each becomes, such as
    /// `DATABASE_URL: "postgres://{{ .user }}:{{ .password | urlquery }}@db"`. They hold text, properties, and a few
    /// functions for quoting, encoding and joining.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::schema::texts")]
    pub template: BTreeMap<String, String>,
    /// A random value that is made once in the cluster, under the property `password`, instead of a remote key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<GeneratedSecret>,
}

/// A random value.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GeneratedSecret {
    /// Number of characters.
    #[serde(default = "password_length")]
    #[schemars(range(min = 16, max = 128))]
    pub length: i32,
    /// Whether it may hold symbols besides letters and digits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub symbols: bool,
}

impl Default for GeneratedSecret {
    fn default() -> Self {
        Self {
            length: password_length(),
            symbols: false,
        }
    }
}

/// 32 letters and digits hold 190 bits.
fn password_length() -> i32 {
    32
}

/// One property of a secret.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the property in the remote secret.
    #[schemars(length(min = 1, max = 253))]
    pub property: String,
    /// Environment variable that gets it. Default: the property in capitals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[A-Za-z_][A-Za-z0-9_]*$')").message("write letters, digits and '_', not beginning with a digit"))]
    pub env: Option<String>,
}

/// A database, cache or queue.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.engine == oldSelf.engine")
    .message("the engine of a database that exists cannot change: add a database of another name with the new engine, copy the data, then remove this one")
    .field_path(".engine"))]
pub struct Database {
    /// Name within the application; environment variables begin with it.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z]([-a-z0-9]*[a-z0-9])?$')").message("write a-z, 0-9 and '-', beginning with a letter and not ending with '-'"))]
    pub name: String,
    /// What it is, such as `postgres`, `mysql`, `redis` or `queue`; the Environment maps it to a class.
    #[schemars(length(min = 1, max = 63))]
    pub engine: String,
    /// Version of the engine. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub version: Option<String>,
    /// One of the class's sizes. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub size: Option<String>,
}

/// Buckets and volumes.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Object storage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub buckets: Vec<Bucket>,
    /// File systems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub volumes: Vec<Volume>,
}

/// Object storage.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bucket {
    /// Name within the application.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z]([-a-z0-9]*[a-z0-9])?$')").message("write a-z, 0-9 and '-', beginning with a letter and not ending with '-'"))]
    pub name: String,
    /// Whether old versions of objects are kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub versioned: bool,
}

/// A file system shared by the application's pods.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Name within the application.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z]([-a-z0-9]*[a-z0-9])?$')").message("write a-z, 0-9 and '-', beginning with a letter and not ending with '-'"))]
    pub name: String,
    /// Directory in the container.
    #[schemars(length(min = 2, max = 255))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^/[A-Za-z0-9._/-]*[A-Za-z0-9._-]$')").message("write an absolute path of letters, digits, '.', '_', '-' and '/', not ending with '/'"),
        validation = Rule::new("!self.substring(1).split('/').exists(part, part == '' || part == '.' || part == '..')").message("write the directory itself, without '//', '.' and '..'"))]
    pub mount_path: String,
    /// Size, such as `10Gi`; at most what the class allows. It may grow where the class's storage can; it never shrinks.
    pub size: Quantity,
}

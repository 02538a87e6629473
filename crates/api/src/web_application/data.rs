//! Secrets, databases and storage: the sections that the capabilities secrets and claims serve.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A secret from the Environment's secret store.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.mountPath) && has(self.keys) && self.keys.exists(k, has(k.env)))")
        .message("keys[].env cannot be used with mountPath: list the secret twice for both files and variables"),
    validation = Rule::new("!(has(self.generate) && (has(self.remoteKey) || has(self.refreshInterval)))")
        .message("remoteKey and refreshInterval cannot be used with generate").field_path(".generate"),
    validation = Rule::new("!has(self.template) || !has(self.keys) || self.keys.all(k, !has(k.env))")
        .message("keys[].env cannot be used with template: the names in template become the environment variables").field_path(".template")
)]
pub struct SecretUse {
    /// Name of the secret within the application.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("write a-z, 0-9 and '-', neither beginning nor ending with '-'"))]
    pub name: String,
    /// Key in the remote store, appended to the prefix that the Environment sets for the application. Default: the
    /// name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 400))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[A-Za-z0-9/_+=.@-]+$')").message("write letters, digits and any of / _ + = . @ -"),
        validation = Rule::new("!self.split('/').exists(part, part == '' || part == '.' || part == '..')").message("write a key relative to the application's prefix: it must not begin or end with '/', or have a segment '.', '..' or ''"))]
    pub remote_key: Option<String>,
    /// Properties to read. Empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["property".into()]))]
    pub keys: Vec<SecretKey>,
    /// Directory in the container in which each property becomes a file. Default: environment variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 255))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^/[A-Za-z0-9._/-]*[A-Za-z0-9._-]$')").message("write an absolute path of letters, digits, '.', '_', '-' and '/', not ending with '/'"),
        validation = Rule::new("!self.substring(1).split('/').exists(part, part == '' || part == '.' || part == '..')").message("write the directory itself, without '//', '.' and '..'"))]
    pub mount_path: Option<String>,
    /// Interval between reads of the store, such as `1h`. The Environment sets a minimum. Default: the Environment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]+(s|m|h))+$')").message("write a duration such as 30s, 5m or 1h"))]
    pub refresh_interval: Option<String>,
    /// Values composed of properties, by the name of the environment variable or file that each becomes, such as
    /// `DATABASE_URL: "postgres://{{ .user }}:{{ .password | urlquery }}@db"`. They may use text, properties, and
    /// functions for quoting, encoding and joining.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::schema::texts")]
    pub template: BTreeMap<String, String>,
    /// Generates a random value once, in the property `password`, instead of reading a remote key.
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
    /// Whether it may contain symbols besides letters and digits.
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

/// 32 letters and digits have 190 bits.
fn password_length() -> i32 {
    32
}

/// A property of a secret.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the property in the remote secret.
    #[schemars(length(min = 1, max = 253))]
    pub property: String,
    /// Environment variable for it. Default: the property in upper case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[A-Za-z_][A-Za-z0-9_]*$')").message("write letters, digits and '_', not beginning with a digit"))]
    pub env: Option<String>,
}

/// A database, cache or queue.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.engine == oldSelf.engine")
    .message("the engine of an existing database cannot change: add a database with another name and the new engine, copy the data, then remove this one")
    .field_path(".engine"))]
pub struct Database {
    /// Name within the application. It is the prefix of the environment variables.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z]([-a-z0-9]*[a-z0-9])?$')").message("write a-z, 0-9 and '-', beginning with a letter and not ending with '-'"))]
    pub name: String,
    /// Engine, such as `postgres`, `mysql`, `redis` or `queue`. The Environment maps it to a ClaimClass.
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
    /// Object storage buckets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub buckets: Vec<Bucket>,
    /// File systems shared by the application's pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub volumes: Vec<Volume>,
}

/// Object storage buckets.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bucket {
    /// Name within the application.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z]([-a-z0-9]*[a-z0-9])?$')").message("write a-z, 0-9 and '-', beginning with a letter and not ending with '-'"))]
    pub name: String,
    /// Whether previous versions of objects are kept.
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
    /// Size, such as `10Gi`, up to the class's maximum. It can grow if the class's storage supports that; it cannot
    /// shrink.
    pub size: Quantity,
}

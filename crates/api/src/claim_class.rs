//! `ClaimClass`: a kind of database, bucket or volume that the platform team offers.

use std::collections::BTreeMap;

use idp_core::{Condition, Problem, StatusView};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::{any_object, map_of_any_objects};

/// A kind of database, bucket or volume that the platform team offers: its engine, versions and sizes, the claim that
/// is created, and what the application receives. The Environment maps engines to classes.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[kube(
    group = "idp.dev",
    version = "v1alpha1",
    kind = "ClaimClass",
    status = "ClaimClassStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "What the platform offers as a database, cache, queue, bucket or volume, and what it becomes.",
    shortname = "cc",
    category = "idp",
    printcolumn(name = "Engine", type_ = "string", json_path = ".spec.engine"),
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.resource.kind"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.resource.type"),
    printcolumn(name = "Deletion", type_ = "string", json_path = ".spec.deletionPolicy"),
    printcolumn(name = "Kept", type_ = "integer", json_path = ".status.kept"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.size() <= 63")
        .message("metadata.name: write at most 63 characters; the name is used as a label of claims")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.defaultSize) || has(self.sizes) && self.defaultSize in self.sizes")
        .message("defaultSize must be one of sizes").field_path(".defaultSize"),
    validation = Rule::new("!has(self.defaultVersion) || has(self.versions) && self.versions.exists(v, v == self.defaultVersion)")
        .message("defaultVersion must be one of versions").field_path(".defaultVersion"),
    validation = Rule::new("self.engine == oldSelf.engine")
        .message("the engine of a class cannot change, because databases use it: create a class with another name").field_path(".engine"),
    validation = Rule::new("self.resource == oldSelf.resource")
        .message("the resource of a class cannot change, because existing claims would be orphaned: create a class with another name, and map the engine to it").field_path(".resource")
)]
pub struct ClaimClassSpec {
    /// The engine: `postgres`, `mysql`, `redis`, `queue`, `bucket`, `volume`, or any other name.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("write a-z, 0-9 and '-', neither beginning nor ending with '-'"))]
    pub engine: String,
    /// The object that is created for each database of this class.
    pub resource: ClaimResource,
    /// Labels that select the Composition, if the kind has several.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(length(max = 16))]
    pub composition_selector: BTreeMap<String, String>,
    /// Versions of the engine that applications may choose from. Empty: applications cannot choose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 32)))]
    pub versions: Vec<String>,
    /// Version for applications that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub default_version: Option<String>,
    /// Sizes that applications may choose from, each with values that the template reads as `{size.NAME}`. Empty:
    /// applications cannot choose.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "map_of_any_objects")]
    pub sizes: BTreeMap<String, Value>,
    /// Size for applications that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub default_size: Option<String>,
    /// Template of the object's `spec`. Strings may contain inputs in braces: `{name}` (the object's), `{namespace}`,
    /// `{application}`, `{database}`, `{engine}`, `{version}`, `{size}`, `{size.NAME}`, `{versioned}`, `{secret}`,
    /// `{environment}`, `{backup.retentionDays}`, `{backup.window}`. A string that consists of one input gets that
    /// input's type. Write `{{` and `}}` for literal braces.
    #[serde(default)]
    #[schemars(schema_with = "any_object")]
    pub template: Value,
    /// What the application receives: variables, files and allowed connections.
    #[serde(default)]
    pub connection: Connection,
    /// Namespaces that may use the class, by label. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<LabelSelector>,
    /// Quota for each namespace. Default: 8 claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<ClaimQuota>,
    /// Maximum size of a volume of this class, such as `100Gi`. Default: `10Gi`. Ignored if `sizes` are set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))").message("write a size such as 100Gi"))]
    #[schemars(length(min = 1, max = 32))]
    pub max_size: Option<String>,
    /// What happens to the data after the application has removed it.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// Minimum retention of data after the application has removed it, such as `168h`.
    #[serde(default = "a_week")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]+(s|m|h))+$')").message("write a duration such as 30m or 168h"))]
    pub grace_period: String,
    /// Backups; inputs of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Backup>,
    /// Inputs that cannot change once a database exists. The engine never can.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub immutable: Vec<ClaimInput>,
}

/// Claims that a namespace may have of a class without `quota`.
pub const PER_NAMESPACE: u32 = 8;
/// Maximum size of volumes of a class without `maxSize`.
pub const MAX_SIZE: &str = "10Gi";

impl ClaimClassSpec {
    /// Claims of this class that a namespace may have.
    pub fn per_namespace(&self) -> u32 {
        self.quota
            .as_ref()
            .map_or(PER_NAMESPACE, |quota| quota.per_namespace)
    }

    /// Maximum size of a volume.
    pub fn max_size(&self) -> &str {
        self.max_size.as_deref().unwrap_or(MAX_SIZE)
    }

    /// Whether its objects are volumes, whose size the application sets.
    pub fn is_volume(&self) -> bool {
        self.resource.type_ == ClaimType::PersistentVolumeClaim && self.sizes.is_empty()
    }
}

/// A week.
fn a_week() -> String {
    "168h".to_owned()
}

/// A kind of object that holds data.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.type != 'PersistentVolumeClaim' || self.kind == 'PersistentVolumeClaim' && self.apiVersion == 'v1'")
    .message("type PersistentVolumeClaim goes with apiVersion v1 and kind PersistentVolumeClaim"))]
pub struct ClaimResource {
    /// What reconciles the object.
    #[serde(rename = "type")]
    pub type_: ClaimType,
    /// `group/version`. The claim broker must know the kind: kinds of `platform.idp.dev`, and those listed with its
    /// argument `--claim-kind`.
    #[schemars(length(min = 1, max = 253))]
    pub api_version: String,
    /// Kind.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
}

/// What reconciles an object that holds data.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum ClaimType {
    /// A claim, and its cluster-scoped composite resource: Crossplane 1.20, or 2 with definitions that have claim names.
    #[default]
    Claim,
    /// A composite resource in the namespace: Crossplane 2.
    Composite,
    /// Kubernetes: a volume.
    PersistentVolumeClaim,
}

/// What an application receives of a database, independent of the provider.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Keys of the connection Secret that become environment variables. Empty: no Secret is created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["env".into()]))]
    pub keys: Vec<ConnectionKey>,
    /// Variables that are not secret, or that are composed of secret ones: `$(HOST)` refers to this database's variable
    /// with the suffix `HOST`. May contain the template's inputs in braces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["env".into()]))]
    pub variables: Vec<ConnectionVariable>,
    /// Directory in which every key of the Secret becomes a file. May contain the template's inputs in braces. Default:
    /// no files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 255))]
    pub mount_path: Option<String>,
    /// Destinations that the application's pods may connect to for this database. Connections that are not declared are
    /// blocked. Empty: the application declares them in `access.outbound`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub egress: Vec<ConnectionEgress>,
}

/// A destination that pods may connect to: exactly one of `pods`, `host` and `range`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.pods), has(self.host), has(self.range)].filter(given, given).size() == 1")
    .message("write exactly one of pods, host and range"))]
pub struct ConnectionEgress {
    /// Pods in the cluster, such as a server that a Composition creates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<ConnectionPods>,
    /// A host outside the cluster with public addresses, such as `sqs.eu-central-1.amazonaws.com`; `*.example.com` for
    /// all its subdomains. For private addresses, use `range`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$')").message("write a complete host name in small letters, such as api.example.com or *.example.com"))]
    pub host: Option<String>,
    /// A range of IP addresses in CIDR notation, such as `10.1.0.0/16` for the subnets of the databases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 43))]
    #[x_kube(validation = Rule::new("isCIDR(self) && cidr(self) == cidr(self).masked()").message("write a range such as 10.1.0.0/16 or 2001:db8::/32, without bits beyond its length"))]
    pub range: Option<String>,
    /// TCP ports.
    #[schemars(length(min = 1, max = 16), inner(range(min = 1, max = 65535)))]
    pub ports: Vec<u16>,
}

/// Pods in the cluster.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionPods {
    /// Their namespace. May contain the template's inputs in braces. Default: the application's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// Labels that they must have. Values may contain the template's inputs in braces.
    #[schemars(length(min = 1, max = 16))]
    pub labels: BTreeMap<String, String>,
}

/// A key of the connection Secret.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionKey {
    /// The key.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// Suffix of the environment variable. The prefix is the database's name in upper case.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[A-Z][A-Z0-9_]*$')").message("write A-Z, 0-9 and '_', beginning with a letter"))]
    pub env: String,
    /// Whether pods may start without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// An environment variable with a value that the class sets.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionVariable {
    /// Suffix of the environment variable. The prefix is the database's name in upper case.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[A-Z][A-Z0-9_]*$')").message("write A-Z, 0-9 and '_', beginning with a letter"))]
    pub env: String,
    /// Its value.
    #[schemars(length(max = 1000))]
    pub value: String,
}

/// Quota of a class.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimQuota {
    /// Claims that a namespace may have, including those whose data is retained.
    #[schemars(range(min = 0, max = 10000))]
    pub per_namespace: u32,
}

/// What happens to data that its application has removed.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum DeletionPolicy {
    /// The data is retained until its deletion is requested explicitly.
    #[default]
    Retain,
    /// The data is deleted automatically after the grace period. For caches and similar data.
    Delete,
}

/// Backups; inputs of the template.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// Days for which backups are kept; 0 for no backups.
    #[schemars(range(min = 0, max = 3650))]
    pub retention_days: i32,
    /// Daily backup window in UTC, such as `02:00-03:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$')").message("write a window such as 02:00-03:00"))]
    pub window: Option<String>,
}

/// An input that an application chooses.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum ClaimInput {
    /// `version`.
    Version,
    /// `size`.
    Size,
    /// `versioned` of a bucket.
    Versioned,
}

/// Status of a `ClaimClass`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimClassStatus {
    /// The `metadata.generation` that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: the class can be used. `Stalled`: it cannot, until it is corrected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// What is wrong with the class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// Number of claims that are retained after their application removed them.
    #[serde(default)]
    pub kept: u32,
    /// When the next of them will be deleted, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_deletion: Option<String>,
}

impl StatusView for ClaimClassStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

//! `ClaimClass`: what the platform team offers under one engine.

use std::collections::BTreeMap;

use idp_core::{Condition, Problem, StatusView};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::{any_object, map_of_any_objects};

/// An offer: an engine in some sizes, the object that it becomes, and what an application gets of it. The
/// Environment says which class serves which engine.
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
        .message("metadata.name: write at most 63 characters; claims carry the name as a label")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.defaultSize) || has(self.sizes) && self.defaultSize in self.sizes")
        .message("defaultSize must be one of sizes").field_path(".defaultSize"),
    validation = Rule::new("!has(self.defaultVersion) || has(self.versions) && self.versions.exists(v, v == self.defaultVersion)")
        .message("defaultVersion must be one of versions").field_path(".defaultVersion"),
    validation = Rule::new("self.engine == oldSelf.engine")
        .message("the engine of a class never changes, because databases of it exist: make a class of another name").field_path(".engine"),
    validation = Rule::new("self.resource == oldSelf.resource")
        .message("the resource of a class never changes, because it would leave the old claims behind: make a class of another name, and map the engine to it").field_path(".resource")
)]
pub struct ClaimClassSpec {
    /// What it is: `postgres`, `mysql`, `redis`, `queue`, `bucket`, `volume`, or any other name.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("write a-z, 0-9 and '-', neither beginning nor ending with '-'"))]
    pub engine: String,
    /// The object that each database of this class becomes.
    pub resource: ClaimResource,
    /// Labels of the Composition that is wanted, where there are several for the kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(length(max = 16))]
    pub composition_selector: BTreeMap<String, String>,
    /// Versions of the engine to choose from; none means that there is nothing to choose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 32)))]
    pub versions: Vec<String>,
    /// The version of those who name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub default_version: Option<String>,
    /// Sizes to choose from, each with the values that the template reads as `{size.NAME}`; none means that there is
    /// nothing to choose.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "map_of_any_objects")]
    pub sizes: BTreeMap<String, Value>,
    /// The size of those who name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub default_size: Option<String>,
    /// `spec` of the object. Texts in it may name inputs in braces: `{name}` (the object's), `{namespace}`,
    /// `{application}`, `{database}`, `{engine}`, `{version}`, `{size}`, `{size.NAME}`, `{versioned}`, `{secret}`,
    /// `{environment}`, `{backup.retentionDays}`, `{backup.window}`. A text that is nothing but one input takes
    /// that input's type; `{{` and `}}` stand for braces.
    #[serde(default)]
    #[schemars(schema_with = "any_object")]
    pub template: Value,
    /// What an application gets of it.
    #[serde(default)]
    pub connection: Connection,
    /// Namespaces that may use it, by their labels. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<LabelSelector>,
    /// How much of it. Default: 8 in each namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<ClaimQuota>,
    /// Largest volume of this class, such as `100Gi`. Default: `10Gi`. Says nothing where `sizes` are to choose from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))").message("write a size such as 100Gi"))]
    #[schemars(length(min = 1, max = 32))]
    pub max_size: Option<String>,
    /// What becomes of the data when no application wants them any more.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// How long data are kept at least after the last application has let go of them, such as `168h`.
    #[serde(default = "a_week")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]+(s|m|h))+$')").message("write a duration such as 30m or 168h"))]
    pub grace_period: String,
    /// Backups, for the template to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Backup>,
    /// What cannot change once a database exists, besides the engine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub immutable: Vec<ClaimInput>,
}

/// How many of a class without `quota` a namespace may have.
pub const PER_NAMESPACE: u32 = 8;
/// Largest volume of a class without `maxSize`.
pub const MAX_SIZE: &str = "10Gi";

impl ClaimClassSpec {
    /// How many of it a namespace may have.
    pub fn per_namespace(&self) -> u32 {
        self.quota
            .as_ref()
            .map_or(PER_NAMESPACE, |quota| quota.per_namespace)
    }

    /// The largest volume.
    pub fn max_size(&self) -> &str {
        self.max_size.as_deref().unwrap_or(MAX_SIZE)
    }

    /// Whether its objects are volumes, with a size that applications write themselves.
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
    /// Who acts on it.
    #[serde(rename = "type")]
    pub type_: ClaimType,
    /// `group/version`. The claim broker must know the kind: those of `platform.idp.dev`, and those of its argument
    /// `--claim-kind`.
    #[schemars(length(min = 1, max = 253))]
    pub api_version: String,
    /// Kind.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
}

/// Who acts on an object that holds data.
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

/// What an application gets of a database: the same whatever serves it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Keys of the connection Secret that become environment variables. None: there is no Secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["env".into()]))]
    pub keys: Vec<ConnectionKey>,
    /// Variables that are no secrets, or are composed of secret ones: `$(HOST)` stands for the variable that this
    /// database gets under the name `HOST`. Inputs in braces are those of the template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["env".into()]))]
    pub variables: Vec<ConnectionVariable>,
    /// Directory where every key of the Secret is a file; inputs in braces are those of the template. Default: no files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 255))]
    pub mount_path: Option<String>,
    /// Where the application's pods may connect to for it: an application reaches nothing that nobody declares. None:
    /// whatever it reaches, its own `access.outbound` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub egress: Vec<ConnectionEgress>,
}

/// Where pods may connect to. Exactly one of `pods`, `host` and `range`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.pods), has(self.host), has(self.range)].filter(given, given).size() == 1")
    .message("write exactly one of pods, host and range"))]
pub struct ConnectionEgress {
    /// Pods of the cluster: a server that a Composition makes there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<ConnectionPods>,
    /// A host outside the cluster with public addresses, such as `sqs.eu-central-1.amazonaws.com`; `*.example.com` for
    /// all below it. One with private addresses needs a `range`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$')").message("write a complete host name in small letters, such as api.example.com or *.example.com"))]
    pub host: Option<String>,
    /// A range of addresses, such as `10.1.0.0/16`: the subnets of the databases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 43))]
    #[x_kube(validation = Rule::new("isCIDR(self) && cidr(self) == cidr(self).masked()").message("write a range such as 10.1.0.0/16 or 2001:db8::/32, without bits beyond its length"))]
    pub range: Option<String>,
    /// TCP ports.
    #[schemars(length(min = 1, max = 16), inner(range(min = 1, max = 65535)))]
    pub ports: Vec<u16>,
}

/// Pods of the cluster.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionPods {
    /// Their namespace. Default: the application's own. Inputs in braces are those of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// Labels that they have, all of them; in values, inputs in braces are those of the template.
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
    /// End of the environment variable's name; the database's name in capitals comes before it.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[A-Z][A-Z0-9_]*$')").message("write A-Z, 0-9 and '_', beginning with a letter"))]
    pub env: String,
    /// Whether pods start without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// An environment variable with a value of the class's.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionVariable {
    /// End of the environment variable's name; the database's name in capitals comes before it.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[A-Z][A-Z0-9_]*$')").message("write A-Z, 0-9 and '_', beginning with a letter"))]
    pub env: String,
    /// Its value.
    #[schemars(length(max = 1000))]
    pub value: String,
}

/// How much of a class.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimQuota {
    /// How many of it a namespace may have, those whose data are kept included.
    #[schemars(range(min = 0, max = 10000))]
    pub per_namespace: u32,
}

/// What becomes of data that no application wants any more.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum DeletionPolicy {
    /// They stay until somebody says that they may go.
    #[default]
    Retain,
    /// They go by themselves after the grace period: for caches and the like.
    Delete,
}

/// Backups, for the template to read.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// Days for which backups are kept; 0 means that there are none.
    #[schemars(range(min = 0, max = 3650))]
    pub retention_days: i32,
    /// Time of day in UTC, such as `02:00-03:00`.
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

/// What became of a `ClaimClass`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimClassStatus {
    /// `metadata.generation` that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: the class can be used; `Stalled` while it cannot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// How many claims of it are kept that no application wants.
    #[serde(default)]
    pub kept: u32,
    /// When the next of them is deleted, as somebody asked, in RFC 3339.
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

//! Requests to capabilities and their responses: the values of `idp.capability.v1`, independent of gRPC.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Problem;

/// A request: one section of one application, and the Environment.
#[derive(Clone, Debug, PartialEq)]
pub struct SectionRequest {
    /// `metadata.namespace` of the application.
    pub namespace: String,
    /// `metadata.name` of the application.
    pub application: String,
    /// Name of the cluster's Environment.
    pub environment: String,
    /// Its `spec`.
    pub environment_spec: Value,
    /// The section: the value of the field that `path` names.
    pub section: Value,
    /// Path of the section, such as `spec.secrets`. Paths of problems begin with it.
    pub path: String,
}

/// Plan of a section. If any problem is an error, everything else in the plan is ignored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SectionPlan {
    /// Objects to create beside the application.
    pub bindings: Vec<Binding>,
    /// Environment variables of every container.
    pub env: Vec<EnvSource>,
    /// Secrets whose keys become environment variables, all of them.
    pub env_from: Vec<EnvFrom>,
    /// Volumes of every pod.
    pub mounts: Vec<Mount>,
    /// Connections that the application's pods may open. Connections that are not listed are blocked.
    pub egress: Vec<Egress>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Further information for the section's owner, under keys that the capability documents.
    pub outputs: BTreeMap<String, String>,
}

impl SectionPlan {
    /// A rejected section.
    pub fn refused(problems: Vec<Problem>) -> Self {
        Self {
            problems,
            ..Self::default()
        }
    }

    /// Whether the section is accepted.
    pub fn is_possible(&self) -> bool {
        !self.problems.iter().any(Problem::is_error)
    }
}

/// The resource in which a capability's controller keeps the state of one section. It is created with the application
/// and deleted when no plan contains it; a capability whose binding must outlive the section keeps it in its plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// Kind, of the platform's API group, such as `SecretBinding`.
    pub kind: String,
    /// `metadata.name`: 1 to 63 characters.
    pub name: String,
    /// `spec`.
    pub spec: Value,
}

/// An environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvSource {
    /// Its name.
    pub name: String,
    /// Source of its value.
    pub from: ValueFrom,
}

/// Source of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueFrom {
    /// A literal; never a secret value.
    Literal(String),
    /// A key of a Secret.
    Secret(KeyRef),
    /// A key of a ConfigMap.
    ConfigMap(KeyRef),
}

/// A key of a Secret or ConfigMap of the application's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRef {
    /// Name of the object.
    pub name: String,
    /// Key in it.
    pub key: String,
    /// Whether pods start without it.
    pub optional: bool,
}

/// A Secret all of whose keys become environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvFrom {
    /// Name of the Secret.
    pub secret: String,
    /// Prefix of each variable's name; may be empty.
    pub prefix: String,
}

/// A volume of every pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Name of the volume: a DNS label, unique within the application.
    pub name: String,
    /// Directory in the container.
    pub path: String,
    /// What is mounted.
    pub source: MountSource,
    /// Whether it is read-only.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// A Secret whose keys become files.
    Secret(String),
    /// A ConfigMap whose keys become files.
    ConfigMap(String),
    /// A PersistentVolumeClaim.
    Claim(String),
}

/// Connections that an application's pods may open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    /// Destination.
    pub to: EgressPeer,
    /// TCP ports; never empty.
    pub ports: Vec<u16>,
}

/// Destination of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EgressPeer {
    /// Pods of a namespace, selected by label; never all pods.
    Pods {
        /// The namespace.
        namespace: String,
        /// Labels that the pods must have.
        labels: BTreeMap<String, String>,
    },
    /// A host outside the cluster with public addresses, such as `sqs.eu-central-1.amazonaws.com`; `*.example.com` for
    /// all its subdomains.
    Host(String),
    /// A range of addresses, such as `10.1.0.0/16`.
    Range(String),
}

/// A controller that serves sections of applications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Name of the capability, such as `secrets`.
    pub name: String,
    /// Version of the program, for people.
    pub version: String,
    /// JSON schema of the section.
    pub section_schema: Value,
}

//! What a capability is asked and answers: the values of `idp.capability.v1`, without the wire.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Problem;

/// A request: one section of one application, and where it is to run.
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
    /// Where the section stands, such as `spec.secrets`: paths of problems begin with it.
    pub path: String,
}

/// What a section becomes. With one error among the problems nothing else in it counts.
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
    /// Connections that the application's pods may open for it: everything that nobody names is denied.
    pub egress: Vec<Egress>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What the section's owner needs to know besides, by keys that the capability documents.
    pub outputs: BTreeMap<String, String>,
}

impl SectionPlan {
    /// A section that cannot be carried out.
    pub fn refused(problems: Vec<Problem>) -> Self {
        Self {
            problems,
            ..Self::default()
        }
    }

    /// Whether the section can be carried out.
    pub fn is_possible(&self) -> bool {
        !self.problems.iter().any(Problem::is_error)
    }
}

/// The resource in which a capability's own controller keeps the state of one section. It is created beside the
/// application and deleted when no plan names it any more; a capability whose binding must outlive the section goes
/// on naming it.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// Kind, of the platform's own group: `SecretBinding` and its kin.
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
    /// Where its value comes from.
    pub from: ValueFrom,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueFrom {
    /// From here. Never a secret value.
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

/// A Secret whose keys become environment variables, all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvFrom {
    /// Name of the Secret.
    pub secret: String,
    /// What each variable's name begins with; may be empty.
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
    /// Whether the container may not write to it.
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
    /// To where.
    pub to: EgressPeer,
    /// TCP ports; never empty.
    pub ports: Vec<u16>,
}

/// To where a connection goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EgressPeer {
    /// Pods of a namespace of the cluster, by their labels; never all pods.
    Pods {
        /// The namespace.
        namespace: String,
        /// Labels that the pods have, all of them.
        labels: BTreeMap<String, String>,
    },
    /// A host outside the cluster with public addresses, such as `sqs.eu-central-1.amazonaws.com`; `*.example.com` for
    /// all below it.
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

//! A WebApplication after validation: with defaults, resolved references, and all rules checked.
//!
//! The builders in `plan` read it, and never the raw spec.

use std::collections::BTreeMap;

use idp_api::{
    environment::{AllowedPatch, GatewayPolicy, Mesh, MeshMode, Monitoring, Registry},
    web_application::{
        AppProtocol, ConfigFile, Cors, EnvVar, Health, Job, Metrics, Migration, Objective, Outbound, Patch,
        PathMatch, Redirect, Retries, Rollout, Toleration,
    },
};
use idp_core::{
    Kind, Problem,
    capability::{Egress, EgressPeer, EnvFrom, EnvSource, Mount},
};
use k8s_openapi::apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta};
use serde_json::Value;

use crate::capabilities::BindingFacts;

/// A WebApplication after validation.
#[derive(Clone, Debug)]
pub struct Validated {
    /// `metadata.name`: at most 40 characters.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// Name of the Environment.
    pub environment: String,
    /// Labels of every child.
    pub labels: BTreeMap<String, String>,
    /// Labels that select the pods that serve requests. Those of migrations and jobs are not selected;
    /// `idp_core::labels::every_pod` selects all.
    pub selector: BTreeMap<String, String>,
    /// Image, rewritten according to the Environment.
    pub image: String,
    /// Names of the pull Secrets.
    pub pull_secrets: Vec<String>,
    /// Replaces the image's entry point, unless empty.
    pub command: Vec<String>,
    /// Replaces the image's arguments, unless empty.
    pub args: Vec<String>,
    /// Ports; never empty.
    pub ports: Vec<ValidPort>,
    /// CPU and memory.
    pub resources: ValidResources,
    /// Probes; their ports are names in `ports`.
    pub health: Health,
    /// Environment variables.
    pub env: Vec<EnvVar>,
    /// Configuration files, sorted by path.
    pub config_files: Vec<ConfigFile>,
    /// Names of the application's ConfigMaps that pods still use.
    pub used_config_maps: Vec<String>,
    /// Number of pods.
    pub scale: Scale,
    /// `spec.replicas` of the existing Deployment.
    pub current_replicas: Option<i32>,
    /// Routes with complete host names, all available to this application.
    pub routes: Vec<ValidRoute>,
    /// Allowed callers.
    pub inbound: Vec<ValidInbound>,
    /// Allowed calls.
    pub outbound: Vec<Outbound>,
    /// The rollout strategy.
    pub rollout: Rollout,
    /// The migration, with its state.
    pub migration: Option<ValidMigration>,
    /// Jobs.
    pub jobs: Vec<Job>,
    /// The metrics endpoint and its port; only if the Environment has Prometheus.
    pub metrics: Option<(Metrics, ValidPort)>,
    /// Maximum number of samples per scrape.
    pub samples: i32,
    /// Objectives with percentages from 10 to 100; only if the Environment has Prometheus and a mesh.
    pub objectives: Vec<ValidObjective>,
    /// Whether to create a dashboard.
    pub dashboard: bool,
    /// Constraints on the nodes of pods.
    pub placement: ValidPlacement,
    /// The Environment's registries: the plan checks images in patches.
    pub registry: Registry,
    /// Maximum resources of one pod.
    pub max_resources: ValidResources,
    /// The cluster's own address ranges, which no rule permits.
    pub cluster_ranges: Vec<String>,
    /// The Environment's gateway policy.
    pub gateway: GatewayPolicy,
    /// The Environment's mesh.
    pub mesh: Mesh,
    /// The Environment's monitoring.
    pub monitoring: Monitoring,
    /// Namespace of the DNS server.
    pub dns_namespace: String,
    /// Patches of generated objects, as in the spec; the plan checks them against `allowed_patches`.
    pub patches: Vec<Patch>,
    /// Results of the capabilities.
    pub supplies: Supplies,
    /// Fields that the Environment permits in patches.
    pub allowed_patches: Vec<AllowedPatch>,
    /// Problems that do not prevent a plan: warnings, and a failed migration.
    pub warnings: Vec<Problem>,
}

impl Validated {
    /// Metadata of a child of this name: namespace and labels.
    pub fn child_meta(&self, name: impl Into<String>) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.into()),
            namespace: Some(self.namespace.clone()),
            labels: Some(self.labels.clone()),
            ..ObjectMeta::default()
        }
    }

    /// Whether to create Istio's objects (mTLS, authorization, external hosts).
    pub fn in_mesh(&self) -> bool {
        self.mesh.mode != MeshMode::None
    }

    /// External hosts that the application may call, each with a port: those in its spec, and those that its
    /// capabilities require.
    pub fn external_hosts(&self) -> impl Iterator<Item = (&str, i32)> {
        let own = self.outbound.iter().filter_map(|to| to.external.as_ref());
        let supplied = self.supplies.egress.iter().filter_map(|egress| match &egress.to {
            EgressPeer::Host(host) => Some((host.as_str(), &egress.ports)),
            EgressPeer::Pods { .. } | EgressPeer::Range(_) => None,
        });
        own.map(|external| (external.host.as_str(), external.port))
            .chain(supplied.flat_map(|(host, ports)| ports.iter().map(move |port| (host, i32::from(*port)))))
    }

    /// DNS name of the application's Service.
    pub fn service_host(&self) -> String {
        format!("{}.{}.svc.cluster.local", self.name, self.namespace)
    }
}

/// Results of the capabilities.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Supplies {
    /// The bindings with their state.
    pub bindings: Vec<ValidBinding>,
    /// Environment variables.
    pub env: Vec<EnvSource>,
    /// Secrets whose keys become variables.
    pub env_from: Vec<EnvFrom>,
    /// Volumes.
    pub mounts: Vec<Mount>,
    /// Connections that pods require for them.
    pub egress: Vec<Egress>,
    /// Name of the Secret of each host's certificate; `None` if the platform issues no certificates.
    pub certificates: Option<BTreeMap<String, String>>,
}

/// A binding with its state.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidBinding {
    /// The capability that planned it.
    pub capability: String,
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its spec.
    pub spec: Value,
    /// Facts of the existing object.
    pub facts: Option<BindingFacts>,
    /// Whether it counts as ready: for `render`.
    pub assume_ready: bool,
}

/// A port with its defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidPort {
    /// Name.
    pub name: String,
    /// Port number in the container.
    pub port: i32,
    /// Port number of the Service.
    pub service_port: i32,
    /// Protocol.
    pub protocol: AppProtocol,
}

/// CPU and memory.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidResources {
    /// CPU request.
    pub cpu: Quantity,
    /// Memory request and limit.
    pub memory: Quantity,
    /// CPU limit.
    pub cpu_limit: Option<Quantity>,
}

/// Number of pods.
#[derive(Clone, Debug, PartialEq)]
pub enum Scale {
    /// A fixed number.
    Fixed(i32),
    /// By load, within bounds that the Environment permits.
    Auto {
        /// Minimum number of pods.
        min: i32,
        /// Maximum number of pods.
        max: i32,
        /// The metrics, as in the spec.
        metrics: idp_api::web_application::Autoscaling,
    },
}

impl Scale {
    /// Minimum number of pods.
    pub fn min(&self) -> i32 {
        match self {
            Self::Fixed(replicas) => *replicas,
            Self::Auto { min, .. } => *min,
        }
    }
}

/// A route with its defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidRoute {
    /// Complete host name.
    pub host: String,
    /// Path.
    pub path: String,
    /// How the path is compared.
    pub path_match: PathMatch,
    /// The target port; ignored for redirects.
    pub port: ValidPort,
    /// A redirect instead of a port.
    pub redirect: Option<Redirect>,
    /// Replaces the matched part of the path.
    pub rewrite: Option<String>,
    /// Timeout of a request.
    pub timeout: Option<String>,
    /// Retries of failed requests.
    pub retries: Option<Retries>,
    /// Cross-origin resource sharing.
    pub cors: Option<Cors>,
    /// Secret of the certificate; `None` for an unencrypted route.
    pub tls_secret: Option<String>,
    /// The Gateway as `namespace/name`; `None` for the application's own.
    pub gateway: Option<String>,
}

/// An allowed caller.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidInbound {
    /// Name of the calling application; `None` for every pod of the namespace.
    pub application: Option<String>,
    /// Namespace of the caller; `None` for the whole cluster.
    pub namespace: Option<String>,
    /// Ports; never empty.
    pub ports: Vec<ValidPort>,
    /// HTTP methods; empty for all.
    pub methods: Vec<String>,
    /// HTTP paths; empty for all.
    pub paths: Vec<String>,
}

/// The migration, with its state.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidMigration {
    /// From the spec.
    pub spec: Migration,
    /// Name of the Job for the current image: each image has its own.
    pub job: String,
    /// Whether the Job exists, in any state.
    pub exists: bool,
    /// Whether it has succeeded, so that pods of this image may start.
    pub done: bool,
    /// Why it has failed; `None` if it has not.
    pub failure: Option<String>,
}

/// An objective with parsed percentages.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidObjective {
    /// From the spec.
    pub spec: Objective,
    /// Target share of good requests, between 0 and 1, for example 0.999.
    pub target: f64,
}

/// Constraints on the nodes of pods.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidPlacement {
    /// The topology over which pods are spread.
    pub spread: idp_api::web_application::Spread,
    /// Labels that a node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that are tolerated.
    pub tolerations: Vec<Toleration>,
    /// Priority class.
    pub priority_class: Option<String>,
}

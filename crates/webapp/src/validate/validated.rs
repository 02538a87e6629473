//! A WebApplication after validation: every default filled in, every reference resolved, every rule held.
//!
//! Builders of children read this and never the raw spec.

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
    /// Labels that select the pods that answer requests: not those of migrations and jobs, which only
    /// `idp_core::labels::every_pod` selects too.
    pub selector: BTreeMap<String, String>,
    /// Image after the Environment's rewriting.
    pub image: String,
    /// Names of pull secrets.
    pub pull_secrets: Vec<String>,
    /// Command that replaces the entry point; empty for the image's.
    pub command: Vec<String>,
    /// Arguments; empty for the image's.
    pub args: Vec<String>,
    /// Ports; never empty.
    pub ports: Vec<ValidPort>,
    /// CPU and memory.
    pub resources: ValidResources,
    /// Probes; ports in them name one of `ports`.
    pub health: Health,
    /// Environment variables.
    pub env: Vec<EnvVar>,
    /// Configuration files, sorted by path.
    pub config_files: Vec<ConfigFile>,
    /// The application's ConfigMaps that are still read by somebody, by name.
    pub used_config: Vec<String>,
    /// How many pods.
    pub scale: Scale,
    /// Number of pods that the Deployment asks for now, if there is one.
    pub pods_now: Option<i32>,
    /// Routes with complete hosts; hosts are this application's.
    pub routes: Vec<ValidRoute>,
    /// Allowed callers.
    pub inbound: Vec<ValidInbound>,
    /// Allowed calls.
    pub outbound: Vec<Outbound>,
    /// How a new version replaces the old one.
    pub rollout: Rollout,
    /// The migration, with its state.
    pub migration: Option<ValidMigration>,
    /// Jobs.
    pub jobs: Vec<Job>,
    /// Where metrics are scraped, and on which port; only where the Environment has Prometheus.
    pub metrics: Option<(Metrics, ValidPort)>,
    /// Most samples of a scrape.
    pub samples: i32,
    /// Objectives, whose percentages are numbers between 10 and 100; only where the Environment has Prometheus
    /// and a mesh.
    pub objectives: Vec<ValidObjective>,
    /// Whether to make a dashboard.
    pub dashboard: bool,
    /// Where pods may run.
    pub placement: ValidPlacement,
    /// The Environment's registries: the plan checks images that patches name.
    pub registry: Registry,
    /// Most that one pod may ask for.
    pub most: ValidResources,
    /// Ranges of the cluster itself, which no rule opens.
    pub cluster_ranges: Vec<String>,
    /// The Environment's gateway policy.
    pub gateway: GatewayPolicy,
    /// The Environment's mesh.
    pub mesh: Mesh,
    /// The Environment's monitoring.
    pub monitoring: Monitoring,
    /// Namespace of the DNS server.
    pub dns_namespace: String,
    /// Changes to generated objects, as written; the plan checks them against `allowed_patches`.
    pub patches: Vec<Patch>,
    /// What capabilities supply.
    pub supplies: Supplies,
    /// What the Environment lets patches change.
    pub allowed_patches: Vec<AllowedPatch>,
    /// Problems found on the way that the plan is made in spite of: warnings, and a failed migration.
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

    /// Whether Istio's own objects (mTLS, authorization, external hosts) are made.
    pub fn in_mesh(&self) -> bool {
        self.mesh.mode != MeshMode::None
    }

    /// Hosts outside the cluster that the application may call, each with a port: those that it names itself, and those
    /// that its capabilities need.
    pub fn external_hosts(&self) -> impl Iterator<Item = (&str, i32)> {
        let own = self.outbound.iter().filter_map(|to| to.external.as_ref());
        let supplied = self.supplies.egress.iter().filter_map(|egress| match &egress.to {
            EgressPeer::Host(host) => Some((host.as_str(), &egress.ports)),
            EgressPeer::Pods { .. } | EgressPeer::Range(_) => None,
        });
        own.map(|external| (external.host.as_str(), external.port))
            .chain(supplied.flat_map(|(host, ports)| ports.iter().map(move |port| (host, i32::from(*port)))))
    }

    /// Host name of the application's Service.
    pub fn service_host(&self) -> String {
        format!("{}.{}.svc.cluster.local", self.name, self.namespace)
    }
}

/// What capabilities supply.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Supplies {
    /// The bindings, with how far each is.
    pub bindings: Vec<ValidBinding>,
    /// Environment variables.
    pub env: Vec<EnvSource>,
    /// Secrets whose keys become variables.
    pub env_from: Vec<EnvFrom>,
    /// Volumes.
    pub mounts: Vec<Mount>,
    /// Connections that pods may open for them.
    pub egress: Vec<Egress>,
    /// Name of the Secret of each host's certificate; `None` where nobody orders certificates.
    pub certificates: Option<BTreeMap<String, String>>,
}

/// A binding, with how far it is.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidBinding {
    /// The capability that asked for it.
    pub capability: String,
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its spec.
    pub spec: Value,
    /// It as it is, if it is there.
    pub facts: Option<BindingFacts>,
    /// Whether it is taken as done.
    pub assume_there: bool,
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

/// How many pods.
#[derive(Clone, Debug, PartialEq)]
pub enum Scale {
    /// A fixed number.
    Fixed(i32),
    /// By load, within bounds that already honour the Environment.
    Auto {
        /// Fewest pods.
        min: i32,
        /// Most pods.
        max: i32,
        /// The metrics, as written.
        metrics: idp_api::web_application::Autoscaling,
    },
}

impl Scale {
    /// Fewest pods that there will be.
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
    /// The port that answers; ignored for redirects.
    pub port: ValidPort,
    /// A redirect instead of a port.
    pub redirect: Option<Redirect>,
    /// What the matched part of the path is replaced with.
    pub rewrite: Option<String>,
    /// Time for a request.
    pub timeout: Option<String>,
    /// Tries after a failed request.
    pub retries: Option<Retries>,
    /// Cross-origin resource sharing.
    pub cors: Option<Cors>,
    /// Secret of the certificate; `None` for a route without encryption.
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
    /// As written.
    pub spec: Migration,
    /// Name of the Job for the present image: one Job an image.
    pub job: String,
    /// Whether the Job is there, in whatever state.
    pub exists: bool,
    /// Whether it has succeeded, so that pods of this image may start.
    pub done: bool,
    /// Why it has failed, if it has.
    pub failure: Option<String>,
}

/// An objective with parsed percentages.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidObjective {
    /// As written.
    pub spec: Objective,
    /// Promised share of good requests, between 0 and 1, such as 0.999.
    pub target: f64,
}

/// Where pods may run.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidPlacement {
    /// Over what pods are spread.
    pub spread: idp_api::web_application::Spread,
    /// Labels that a node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that are tolerated.
    pub tolerations: Vec<Toleration>,
    /// Priority class.
    pub priority_class: Option<String>,
}

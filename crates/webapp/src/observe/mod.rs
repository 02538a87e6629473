//! Caches -> [`Observed`]: the only phase that reads caches and calls capabilities.

mod capabilities;
mod hosts;
mod triggers;

use std::collections::{BTreeMap, BTreeSet};

use idp_api::{EnvironmentSpec, WebApplication, kinds::ENVIRONMENT};
use idp_runtime::{FactsError, ObjectKey, ObserveError, View};
use serde::de::IgnoredAny;

pub use self::triggers::{affected, users, with_routes};
use crate::{
    capabilities::{Answer, BindingFacts, Capabilities, Section},
    facts::{DeploymentFacts, JobFacts, MigrationState, PodFacts, PodFailure},
    kinds::{BINDINGS, CLAIM_BINDING, CONFIG_MAP, CRON_JOB, DEPLOYMENT, JOB, NAMESPACE, POD, REPLICA_SET},
};

type Caches = View<WebApplication>;

/// Everything that `validate` and `plan` depend on besides the resource. `idp-cli render` makes one without a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The cluster's Environments by name. There should be exactly one.
    pub environments: BTreeMap<String, EnvironmentSpec>,
    /// Environments that cannot be read, by name, with the error.
    pub unreadable: BTreeMap<String, String>,
    /// Labels of the application's namespace; absent if unknown, as for `render` without its file.
    pub namespace_labels: Option<BTreeMap<String, String>>,
    /// Complete host names that others have claimed, with the claimant's kind, namespace and name.
    pub taken_hosts: BTreeMap<String, String>,
    /// State of the migration Jobs that exist, by Job name.
    pub migrations: BTreeMap<String, MigrationState>,
    /// The existing Deployment.
    pub deployment: Option<DeploymentFacts>,
    /// Pods that do not run, with the kubelet's reason.
    pub pod_failures: Vec<PodFailure>,
    /// Names of the ConfigMaps that pods read, or that future pods of existing objects will read.
    pub used_config_maps: BTreeSet<String>,
    /// Names of the application's own ConfigMaps.
    pub config_maps: BTreeSet<String>,
    /// Names of the known capabilities.
    pub capabilities: BTreeSet<String>,
    /// The capability's response for each section, by the section's path.
    pub answers: BTreeMap<String, (Section, Answer)>,
    /// The application's existing bindings.
    pub bindings: Vec<BindingFacts>,
    /// Whether migration and bindings count as done: for `render`, which shows the final state.
    pub assume_settled: bool,
}

impl Observed {
    /// Labels of the application's namespace, with the one that every namespace has.
    pub fn labels_of(&self, namespace: &str) -> BTreeMap<String, String> {
        let mut labels = self.namespace_labels.clone().unwrap_or_default();
        labels.insert("kubernetes.io/metadata.name".to_owned(), namespace.to_owned());
        labels
    }

    /// Whether the application has claims, which their capability must plan.
    pub fn has_claims(&self) -> bool {
        let mut bindings = self.bindings.iter();
        bindings.any(|binding| binding.kind == CLAIM_BINDING.kind)
    }
}

/// Collects what the plan of `app` depends on.
pub async fn observe(
    app: &WebApplication,
    view: &Caches,
    capabilities: &Capabilities,
) -> Result<Observed, ObserveError> {
    let key = ObjectKey::of(app);
    let namespace_labels = labels(&key.namespace, view)?;
    if namespace_labels.is_none() && !app.spec.routes.is_empty() {
        // The allowed hosts depend on these labels.
        return Err(ObserveError {
            source_name: "namespaces",
            message: format!("Namespace {} is not in the cache yet.", key.namespace),
        });
    }
    let (environments, unreadable) = environments(view);
    capabilities.found(self::capabilities::services(view)?);
    let bindings = bindings(app, view)?;
    let answers = self::capabilities::answers(app, &environments, &bindings, capabilities).await;
    let jobs: Vec<(ObjectKey, JobFacts)> = view.children(JOB, app)?;
    let pods: Vec<(ObjectKey, Option<PodFacts>)> = view.about(POD, &key)?;
    let pods: Vec<PodFacts> = pods.into_iter().filter_map(|(_, pod)| pod).collect();
    let deployment: Option<DeploymentFacts> = view.child(DEPLOYMENT, app, &key.name)?;
    let sets: Vec<(ObjectKey, Option<Vec<String>>)> = view.about(REPLICA_SET, &key)?;
    let schedules: Vec<(ObjectKey, Vec<String>)> = view.children(CRON_JOB, app)?;
    let used_config_maps = sets
        .into_iter()
        .filter_map(|(_, used)| used)
        .chain(schedules.into_iter().map(|(_, used)| used))
        .flatten()
        .chain(jobs.iter().flat_map(|(_, job)| job.config_maps.clone()))
        .chain(pods.iter().flat_map(|pod| pod.config_maps.clone()))
        .chain(
            deployment
                .iter()
                .flat_map(|deployment| deployment.config_maps.clone()),
        )
        .collect();
    let config_maps: Vec<(ObjectKey, IgnoredAny)> = view.children(CONFIG_MAP, app)?;
    let taken_hosts =
        the_one(&environments).map(|(_, environment)| hosts::taken_hosts(app, environment, view));
    Ok(Observed {
        taken_hosts: taken_hosts.transpose()?.unwrap_or_default(),
        namespace_labels,
        migrations: jobs.into_iter().map(|(key, job)| (key.name, job.state)).collect(),
        deployment,
        pod_failures: pods.into_iter().filter_map(|pod| pod.failure).collect(),
        used_config_maps,
        config_maps: config_maps.into_iter().map(|(key, _)| key.name).collect(),
        capabilities: capabilities.names().into_iter().collect(),
        answers,
        bindings,
        assume_settled: false,
        environments,
        unreadable,
    })
}

fn bindings(app: &WebApplication, view: &Caches) -> Result<Vec<BindingFacts>, FactsError> {
    let mut bindings = Vec::new();
    for kind in BINDINGS {
        let found = view.children(kind, app)?.into_iter();
        bindings.extend(found.map(|(_, facts): (_, BindingFacts)| facts));
    }
    Ok(bindings)
}

/// Labels of a namespace.
fn labels(namespace: &str, view: &Caches) -> Result<Option<BTreeMap<String, String>>, FactsError> {
    let labels: Option<Option<_>> = view.read(NAMESPACE, "", namespace).transpose()?;
    // A namespace without labels is known too.
    Ok(labels.map(Option::unwrap_or_default))
}

/// The Environments, and the errors of those that cannot be read.
fn environments(view: &Caches) -> (BTreeMap<String, EnvironmentSpec>, BTreeMap<String, String>) {
    let (mut environments, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
    for (key, spec) in view.read_all(ENVIRONMENT) {
        match spec {
            Ok(spec) => drop(environments.insert(key.name, spec)),
            Err(error) => drop(unreadable.insert(key.name, error.message_at("spec"))),
        }
    }
    (environments, unreadable)
}

/// The Environment, if the cluster has exactly one.
fn the_one(environments: &BTreeMap<String, EnvironmentSpec>) -> Option<(&String, &EnvironmentSpec)> {
    environments.first_key_value().filter(|_| environments.len() == 1)
}

#[cfg(test)]
mod tests;

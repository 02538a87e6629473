//! The only reads: caches -> [`Observed`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::future::join_all;
use idp_api::{
    EnvironmentSpec, WebApplication,
    kinds::{CLAIM_BINDING, ENVIRONMENT},
};
use idp_core::{capability::SectionRequest, names::overlap_terms};
use idp_runtime::{Misread, ObjectKey, ObserveError, View};
use kube::ResourceExt;
use serde::de::IgnoredAny;

use crate::{
    capabilities::{Address, Answer, BindingFacts, Capabilities, Section, sections},
    controller::WebApplicationController,
    holders, host_index, hosts,
    kinds::{
        BINDINGS, CONFIG_MAP, CRON_JOB, DEPLOYMENT, JOB, NAMESPACE, POD, REPLICA_SET, SERVICE,
        VIRTUAL_SERVICE,
    },
    observed::{DeploymentFacts, JobFacts, Observed, PodFacts, Routed},
};

type Caches = View<WebApplicationController>;

/// Collects what the plan of `app` depends on.
pub async fn observe(
    app: &WebApplication,
    view: &Caches,
    capabilities: &Capabilities,
) -> Result<Observed, ObserveError> {
    let key = ObjectKey::of(app);
    let namespace_labels = labels(&key.namespace, view)?;
    if namespace_labels.is_none() && !app.spec.routes.is_empty() {
        // Which hosts it may have depends on them.
        return Err(ObserveError {
            source_name: "namespaces",
            message: format!("namespace {} is not known yet", key.namespace),
        });
    }
    let (environments, unreadable) = environments(view);
    capabilities.found(services(view)?);
    let bindings = bindings(app, view)?;
    let answers = answers(app, &environments, &bindings, capabilities).await;
    let jobs: Vec<(ObjectKey, JobFacts)> = view.children(JOB, app)?;
    let pods: Vec<(ObjectKey, Option<PodFacts>)> = view.about(POD, &key)?;
    let pods: Vec<PodFacts> = pods.into_iter().filter_map(|(_, pod)| pod).collect();
    let deployment: Option<DeploymentFacts> = view.child(DEPLOYMENT, app, &key.name)?;
    let sets: Vec<(ObjectKey, Option<Vec<String>>)> = view.about(REPLICA_SET, &key)?;
    let schedules: Vec<(ObjectKey, Vec<String>)> = view.children(CRON_JOB, app)?;
    let used_config = sets
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
    let taken_hosts = the_one(&environments).map(|(_, environment)| taken_hosts(app, environment, view));
    Ok(Observed {
        taken_hosts: taken_hosts.transpose()?.unwrap_or_default(),
        namespace_labels,
        migrations: jobs.into_iter().map(|(key, job)| (key.name, job.state)).collect(),
        deployment,
        pod_failures: pods.into_iter().filter_map(|pod| pod.failure).collect(),
        used_config,
        config_maps: config_maps.into_iter().map(|(key, _)| key.name).collect(),
        capabilities: capabilities.names().into_iter().collect(),
        answers,
        bindings,
        assume_settled: false,
        environments,
        unreadable,
    })
}

fn bindings(app: &WebApplication, view: &Caches) -> Result<Vec<BindingFacts>, Misread> {
    let mut bindings = Vec::new();
    for kind in BINDINGS {
        let found = view.children(kind, app)?.into_iter();
        bindings.extend(found.map(|(_, facts): (_, BindingFacts)| facts));
    }
    Ok(bindings)
}

/// Applications that use `capability`, in these namespaces (none: all).
pub fn users(capability: &str, namespaces: &[String], view: &Caches) -> Vec<ObjectKey> {
    let (environments, _) = environments(view);
    let Some((_, environment)) = the_one(&environments) else {
        return Vec::new();
    };
    let uses = |app: &WebApplication| {
        // One too many is looked at rather than one too few.
        bindings(app, view).map_or(true, |bindings| {
            let mut sections = wanted(app, environment, &bindings).into_iter();
            sections.any(|section| section.capability == capability)
        })
    };
    let apps = match namespaces {
        [] => view.resources(),
        some => some
            .iter()
            .flat_map(|namespace| view.resources_in(namespace))
            .collect(),
    };
    apps.iter()
        .filter(|app| uses(app))
        .map(|app| ObjectKey::of(app.as_ref()))
        .collect()
}

/// Applications with routes, in this namespace (none: in all).
pub fn with_routes(namespace: &str, view: &Caches) -> Vec<ObjectKey> {
    let apps = if namespace.is_empty() {
        view.resources()
    } else {
        view.resources_in(namespace)
    };
    let apps = apps.iter().filter(|app| !app.spec.routes.is_empty());
    apps.map(|app| ObjectKey::of(app.as_ref())).collect()
}

/// Labels of a namespace.
fn labels(namespace: &str, view: &Caches) -> Result<Option<BTreeMap<String, String>>, Misread> {
    let labels: Option<Option<_>> = view.read(NAMESPACE, "", namespace).transpose()?;
    // One without labels is known too.
    Ok(labels.map(Option::unwrap_or_default))
}

/// Hosts of `app` that somebody else holds, with the holder.
fn taken_hosts(
    app: &WebApplication,
    environment: &EnvironmentSpec,
    view: &Caches,
) -> Result<BTreeMap<String, String>, Misread> {
    let hosts: BTreeSet<String> = hosts::of(app, &environment.base_domain).collect();
    if hosts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let own: Vec<(ObjectKey, Routed)> = view.children(VIRTUAL_SERVICE, app)?;
    let terms: BTreeSet<String> = hosts.iter().flat_map(|host| overlap_terms(host)).collect();
    let mut routed: BTreeMap<ObjectKey, Routed> = BTreeMap::new();
    for term in &terms {
        routed.extend(view.read_by(VIRTUAL_SERVICE, term)?);
    }
    routed.retain(|key, _| !own.iter().any(|(mine, _)| mine == key));
    let rivals = rivals(app, &environment.base_domain, view);
    let around = holders::Around {
        environment,
        own: own.into_iter().flat_map(|(_, routed)| routed.hosts).collect(),
        routed,
        applications: rivals.iter().map(AsRef::as_ref).collect(),
        labels: Box::new(|namespace| labels(namespace, view).ok().flatten().unwrap_or_default()),
    };
    Ok(holders::taken(app, &around))
}

/// The applications, other than `app`, with a host that overlaps with one of its.
fn rivals(app: &WebApplication, base_domain: &str, view: &Caches) -> Vec<Arc<WebApplication>> {
    let terms: BTreeSet<String> = hosts::of(app, base_domain)
        .flat_map(|host| host_index::lookups(&host, base_domain))
        .collect();
    let found = terms.iter().flat_map(|term| view.resources_by(term));
    let key = ObjectKey::of(app);
    let rivals: BTreeMap<ObjectKey, _> = found
        .map(|other| (ObjectKey::of(other.as_ref()), other))
        .collect();
    rivals
        .into_iter()
        .filter_map(|(other, rival)| (other != key).then_some(rival))
        .collect()
}

/// Applications that look again when `changed` changes or goes: they name one of its hosts.
pub fn affected(changed: &WebApplication, view: &Caches) -> Vec<ObjectKey> {
    let (environments, _) = environments(view);
    // Without an Environment nothing is planned, and when it comes everybody is.
    let Some((_, environment)) = the_one(&environments) else {
        return Vec::new();
    };
    let rivals = rivals(changed, &environment.base_domain, view);
    rivals.iter().map(|rival| ObjectKey::of(rival.as_ref())).collect()
}

/// The Environments, and of those that cannot be read what is wrong with them.
fn environments(view: &Caches) -> (BTreeMap<String, EnvironmentSpec>, BTreeMap<String, String>) {
    let (mut environments, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
    for (key, spec) in view.read_all(ENVIRONMENT) {
        match spec {
            Ok(spec) => drop(environments.insert(key.name, spec)),
            Err(misread) => drop(unreadable.insert(key.name, misread.flaw("spec"))),
        }
    }
    (environments, unreadable)
}

/// The Services that may be capabilities. One that is none, such as one without ports, tells nothing.
fn services(view: &Caches) -> Result<Vec<(String, Address)>, Misread> {
    let services: Vec<(ObjectKey, Option<Address>)> = view.read_related(SERVICE)?;
    let services = services.into_iter();
    Ok(services
        .filter_map(|(key, address)| Some((key.namespace, address?)))
        .collect())
}

/// The Environment, if there is exactly one: otherwise there is nothing to plan for.
fn the_one(environments: &BTreeMap<String, EnvironmentSpec>) -> Option<(&String, &EnvironmentSpec)> {
    environments.first_key_value().filter(|_| environments.len() == 1)
}

/// The sections of `app`.
fn wanted(app: &WebApplication, environment: &EnvironmentSpec, bindings: &[BindingFacts]) -> Vec<Section> {
    let has_claims = bindings.iter().any(|binding| binding.kind == CLAIM_BINDING.kind);
    sections(app, environment, has_claims)
}

/// Asks every capability that the application names, all at once.
async fn answers(
    app: &WebApplication,
    environments: &BTreeMap<String, EnvironmentSpec>,
    bindings: &[BindingFacts],
    capabilities: &Capabilities,
) -> BTreeMap<String, (Section, Answer)> {
    let Some((name, environment)) = the_one(environments) else {
        return BTreeMap::new();
    };
    let asked = wanted(app, environment, bindings)
        .into_iter()
        .map(|section| async move {
            let request = section_request(app, name, environment, &section);
            let answer = capabilities.ask(&section.capability, &request).await?;
            Some((section.path.clone(), (section, answer)))
        });
    join_all(asked).await.into_iter().flatten().collect()
}

/// What a capability is asked of a section.
pub fn section_request(
    app: &WebApplication,
    environment: &str,
    spec: &EnvironmentSpec,
    section: &Section,
) -> SectionRequest {
    SectionRequest {
        namespace: app.namespace().unwrap_or_default(),
        application: app.name_any(),
        environment: environment.to_owned(),
        environment_spec: serde_json::to_value(spec).unwrap_or_default(),
        section: section.value.clone(),
        path: section.path.clone(),
    }
}

#[cfg(test)]
mod tests {
    use idp_api::WebApplicationSpec;
    use serde_json::json;

    use super::*;

    fn app(name: &str, created: &str, host: &str) -> WebApplication {
        let spec: WebApplicationSpec =
            serde_json::from_value(json!({"image": "a:1", "routes": [{"host": host}]})).unwrap();
        let mut app = WebApplication::new(name, spec);
        app.metadata = serde_json::from_value(json!({
            "name": name, "namespace": name, "creationTimestamp": created,
        }))
        .unwrap();
        app
    }

    fn object(value: serde_json::Value) -> kube::core::DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    fn environment() -> kube::core::DynamicObject {
        object(json!({
            "apiVersion": "idp.dev/v1alpha1", "kind": "Environment",
            "metadata": {"name": "test", "resourceVersion": "1"},
            "spec": {
                "baseDomain": "apps.test", "sizes": {"small": {"cpu": "100m", "memory": "128Mi"}},
                "defaultSize": "small", "replicas": {"floor": 1, "ceiling": 2},
            },
        }))
    }

    fn namespace(name: &str) -> kube::core::DynamicObject {
        object(json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "resourceVersion": "1"},
        }))
    }

    /// An application of the cluster, with a UID and a version.
    fn known(name: &str, host: &str) -> WebApplication {
        let mut app = app(name, "2026-01-01T00:00:00Z", host);
        app.metadata.uid = Some(format!("uid-of-{name}"));
        app.metadata.resource_version = Some("1".into());
        app
    }

    /// How many entries one look at an application visits, with this many others.
    async fn visited(others: usize) -> u64 {
        let others = (0..others).map(|n| known(&format!("other-{n}"), &format!("other-{n}")));
        let mut taken = known("rival", "shop");
        taken.metadata.creation_timestamp = None;
        let shop = known("shop", "shop");
        let controller = WebApplicationController::default();
        let view = View::offline(
            &controller,
            others.chain([shop.clone(), taken]),
            [environment(), namespace("shop")],
        );
        let before = view.visited();
        let observed = observe(&shop, &view, &Capabilities::default()).await.unwrap();
        assert_eq!(observed.environments.len(), 1);
        assert_eq!(affected(&shop, &view), [ObjectKey::new("rival", "rival")]);
        view.visited() - before
    }

    #[tokio::test]
    async fn a_reconcile_costs_the_same_however_many_others_there_are() {
        let few = visited(10).await;
        assert!(few < 30, "{few}");
        assert_eq!(visited(3_000).await, few);
    }

    #[tokio::test]
    async fn an_environment_that_cannot_be_read_is_not_one_that_is_missing() {
        let mut environment = environment();
        environment.data["spec"]["replicas"]["floor"] = json!("two");
        let shop = known("shop", "shop");
        let objects = [environment, namespace("shop")];
        let view = View::offline(&WebApplicationController::default(), [shop.clone()], objects);
        let observed = observe(&shop, &view, &Capabilities::default()).await.unwrap();
        let problems = crate::validate::validate(&shop, &observed).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].reason, "EnvironmentUnreadable");
        assert!(
            problems[0]
                .message
                .starts_with("Environment test cannot be read: spec.replicas.floor: invalid type"),
            "{}",
            problems[0].message
        );
    }

    #[tokio::test]
    async fn what_only_claims_to_be_a_child_tells_nothing() {
        let shop = known("shop", "shop");
        let job = |namespace: &str, uid: &str, labelled: bool| {
            let mut job = json!({
                "apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": "shop-migrate-1", "namespace": namespace, "uid": "u", "resourceVersion": "1",
                    "labels": {"app.kubernetes.io/managed-by": "idp-webapp"}},
                "status": {"conditions": [{"type": "Complete", "status": "True"}]},
            });
            if labelled {
                job["metadata"]["labels"]["idp.dev/owner-uid"] = json!(uid);
                job["metadata"]["annotations"] =
                    json!({"idp.dev/owner": "shop/shop", "idp.dev/detached": "true"});
            } else {
                job["metadata"]["ownerReferences"] = json!([{
                    "apiVersion": "idp.dev/v1alpha1", "kind": "WebApplication", "name": "shop", "uid": uid,
                    "controller": true,
                }]);
            }
            object(job)
        };
        let migrations = async |job| {
            let controller = WebApplicationController::default();
            let view = View::offline(
                &controller,
                [known("shop", "shop")],
                [environment(), namespace("shop"), job],
            );
            let observed = observe(&shop, &view, &Capabilities::default()).await.unwrap();
            observed.migrations.len()
        };
        assert_eq!(migrations(job("shop", "uid-of-shop", false)).await, 1, "its own");
        for forged in [
            job("evil", "whatever", true),
            job("evil", "uid-of-shop", true),
            job("evil", "uid-of-shop", false),
            job("shop", "whatever", true),
            job("shop", "whatever", false),
            job("shop", "uid-of-shop", true),
        ] {
            assert_eq!(migrations(forged.clone()).await, 0, "{forged:?}");
        }
    }
}

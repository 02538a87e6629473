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
use idp_core::capability::SectionRequest;
use idp_runtime::{ObjectKey, View};
use kube::ResourceExt;
use serde::de::DeserializeOwned;

use crate::{
    capabilities::{Address, Answer, Capabilities, Section, sections},
    controller::WebApplicationController,
    host_index,
    hosts::{complete_host, is_everybodys, overlap},
    kinds::{BINDINGS, CONFIG_MAP, CRON_JOB, DEPLOYMENT, JOB, POD, REPLICA_SET, SERVICE, VIRTUAL_SERVICE},
    observed::{DeploymentFacts, JobFacts, Observed, PodFacts},
    reservations::Reservations,
};

type Caches = View<WebApplicationController>;

/// Collects what the plan of `app` depends on.
pub async fn observe(
    app: &WebApplication,
    view: &Caches,
    capabilities: &Capabilities,
    reservations: &Reservations,
) -> Observed {
    let key = ObjectKey::of(app);
    let environments = environments(view);
    capabilities.found(services(view));
    let answers = answers(app, &environments, view, capabilities).await;
    let jobs: Vec<(ObjectKey, JobFacts)> = parsed(view.facts_of(JOB, app));
    let pods: Vec<(ObjectKey, PodFacts)> = parsed(view.facts_about(POD, &key));
    let deployment: Option<DeploymentFacts> = view
        .child_facts(DEPLOYMENT, app, &key.name)
        .and_then(|facts| parse(&facts));
    let sets = parsed::<Vec<String>>(view.facts_about(REPLICA_SET, &key));
    let schedules = parsed::<Vec<String>>(view.facts_of(CRON_JOB, app));
    let used_config = sets
        .into_iter()
        .chain(schedules)
        .flat_map(|(_, used)| used)
        .chain(jobs.iter().flat_map(|(_, job)| job.config_maps.clone()))
        .chain(pods.iter().flat_map(|(_, pod)| pod.config_maps.clone()))
        .chain(
            deployment
                .iter()
                .flat_map(|deployment| deployment.config_maps.clone()),
        )
        .collect();
    let base_domain = the_one(&environments).map_or("", |(_, environment)| environment.base_domain.as_str());
    Observed {
        taken_hosts: claimed_hosts(app, base_domain, view, reservations),
        migrations: jobs.into_iter().map(|(key, job)| (key.name, job.state)).collect(),
        deployment,
        pod_failures: pods.into_iter().filter_map(|(_, pod)| pod.failure).collect(),
        used_config,
        config_maps: view
            .facts_of(CONFIG_MAP, app)
            .into_iter()
            .map(|(key, _)| key.name)
            .collect(),
        capabilities: capabilities.names().into_iter().collect(),
        answers,
        bindings: BINDINGS
            .iter()
            .flat_map(|kind| parsed(view.facts_of(*kind, app)))
            .map(|(_, facts)| facts)
            .collect(),
        assume_settled: false,
        environments,
    }
}

/// Applications that use `capability`, in these namespaces (none: all).
pub fn users(capability: &str, namespaces: &[String], view: &Caches) -> Vec<ObjectKey> {
    let environments = environments(view);
    let Some((_, environment)) = the_one(&environments) else {
        return Vec::new();
    };
    let uses = |app: &WebApplication| {
        wanted(app, environment, view)
            .iter()
            .any(|section| section.capability == capability)
    };
    view.resources()
        .iter()
        .filter(|app| namespaces.is_empty() || app.namespace().is_some_and(|own| namespaces.contains(&own)))
        .filter(|app| uses(app))
        .map(|app| ObjectKey::of(app.as_ref()))
        .collect()
}

fn environments(view: &Caches) -> BTreeMap<String, EnvironmentSpec> {
    parsed(view.all_facts(ENVIRONMENT))
        .into_iter()
        .map(|(key, spec)| (key.name, spec))
        .collect()
}

fn services(view: &Caches) -> Vec<(String, Address)> {
    parsed(view.related_facts(SERVICE))
        .into_iter()
        .map(|(key, address)| (key.namespace, address))
        .collect()
}

/// The Environment, if there is exactly one: otherwise there is nothing to plan for.
fn the_one(environments: &BTreeMap<String, EnvironmentSpec>) -> Option<(&String, &EnvironmentSpec)> {
    environments.first_key_value().filter(|_| environments.len() == 1)
}

/// The sections of `app`.
fn wanted(app: &WebApplication, environment: &EnvironmentSpec, view: &Caches) -> Vec<Section> {
    let has_claims = !view.facts_of(CLAIM_BINDING, app).is_empty();
    sections(app, environment, has_claims)
}

/// Asks every capability that the application names, all at once.
async fn answers(
    app: &WebApplication,
    environments: &BTreeMap<String, EnvironmentSpec>,
    view: &Caches,
    capabilities: &Capabilities,
) -> BTreeMap<String, (Section, Answer)> {
    let Some((name, environment)) = the_one(environments) else {
        return BTreeMap::new();
    };
    let asked = wanted(app, environment, view)
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

/// Hosts of `app` that another application holds: the first to hold a host keeps it, and of two that
/// want a free one at the same time the older gets it. A wildcard is held with all that is below it.
///
/// `all` are applications, at least those with such a host; `held` says for which hosts one has a VirtualService.
pub fn taken_hosts<'a>(
    app: &WebApplication,
    base_domain: &str,
    all: impl IntoIterator<Item = &'a WebApplication>,
    held: impl Fn(&WebApplication) -> BTreeSet<String>,
) -> BTreeMap<String, String> {
    let wanted: BTreeSet<String> = hosts(app, base_domain).collect();
    let mut taken = BTreeMap::new();
    if wanted.is_empty() {
        return taken;
    }
    let own = held(app);
    for other in all {
        if ObjectKey::of(other) == ObjectKey::of(app) {
            continue;
        }
        // What nobody can have, nobody holds against others.
        for theirs in hosts(other, base_domain).filter(|host| !is_everybodys(host, base_domain)) {
            for host in wanted.iter().filter(|host| overlap(host, &theirs)) {
                let is_free = !own.contains(host);
                if is_free && (held(other).contains(&theirs) || seniority(other) < seniority(app)) {
                    taken
                        .entry(host.clone())
                        .or_insert_with(|| ObjectKey::of(other).to_string());
                }
            }
        }
    }
    taken
}

/// [`taken_hosts`], and those that others are about to take; `app` is from now on about to take the rest.
fn claimed_hosts(
    app: &WebApplication,
    base_domain: &str,
    view: &Caches,
    reservations: &Reservations,
) -> BTreeMap<String, String> {
    let rivals = rivals(app, base_domain, view);
    let mut taken = taken_hosts(app, base_domain, rivals.iter().map(AsRef::as_ref), |app| {
        held_hosts(app, view)
    });
    let free = hosts(app, base_domain).filter(|host| !taken.contains_key(host));
    let names = |other: &ObjectKey, host: &str| {
        let other = view.resource(other);
        other.is_some_and(|other| hosts(&other, base_domain).any(|named| named == host))
    };
    let reserved = reservations.reserve(&ObjectKey::of(app), &free.collect(), names);
    taken.extend(
        reserved
            .into_iter()
            .map(|(host, holder)| (host, holder.to_string())),
    );
    taken
}

/// The applications, other than `app`, with a host that overlaps with one of its.
fn rivals(app: &WebApplication, base_domain: &str, view: &Caches) -> Vec<Arc<WebApplication>> {
    let terms: BTreeSet<String> = hosts(app, base_domain)
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
    let environments = environments(view);
    // Without an Environment nothing is planned, and when it comes everybody is.
    let Some((_, environment)) = the_one(&environments) else {
        return Vec::new();
    };
    let rivals = rivals(changed, &environment.base_domain, view);
    rivals.iter().map(|rival| ObjectKey::of(rival.as_ref())).collect()
}

fn hosts(app: &WebApplication, base_domain: &str) -> impl Iterator<Item = String> {
    app.spec
        .routes
        .iter()
        .map(move |route| complete_host(&route.host, base_domain))
}

/// Hosts for which the application has a VirtualService.
fn held_hosts(app: &WebApplication, view: &Caches) -> BTreeSet<String> {
    parsed::<Vec<String>>(view.facts_of(VIRTUAL_SERVICE, app))
        .into_iter()
        .flat_map(|(_, hosts)| hosts)
        .collect()
}

/// Sorts older applications first; the name decides between those of the same second. One that is not created yet comes
/// last.
fn seniority(app: &WebApplication) -> (bool, Option<String>, ObjectKey) {
    let created = app.creation_timestamp().map(|time| time.0.to_string());
    (created.is_none(), created, ObjectKey::of(app))
}

fn parsed<T: DeserializeOwned>(
    facts: Vec<(ObjectKey, std::sync::Arc<serde_json::Value>)>,
) -> Vec<(ObjectKey, T)> {
    let mut parsed: Vec<_> = facts
        .into_iter()
        .filter_map(|(key, facts)| Some((key, parse(&facts)?)))
        .collect();
    parsed.sort_by(|(one, _), (other, _)| one.cmp(other));
    parsed
}

fn parse<T: DeserializeOwned>(facts: &serde_json::Value) -> Option<T> {
    T::deserialize(facts).ok()
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
        let view = View::offline(&controller, others.chain([shop.clone(), taken]), [environment()]);
        let before = view.visited();
        let observed = observe(&shop, &view, &Capabilities::default(), &Reservations::default()).await;
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
            let view = View::offline(&controller, [known("shop", "shop")], [environment(), job]);
            let observed = observe(&shop, &view, &Capabilities::default(), &Reservations::default()).await;
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

    #[test]
    fn who_holds_a_host_holds_it_against_wildcards_too() {
        let old = app("old", "2026-01-01T00:00:00Z", "*.shop");
        let young = app("young", "2026-02-01T00:00:00Z", "a.shop.apps.test");
        let all = [old.clone(), young.clone()];
        let taken = |app: &WebApplication, holder: &str| {
            taken_hosts(app, "apps.test", &all, |app| {
                let holds = app.name_any() == holder;
                hosts(app, "apps.test").filter(|_| holds).collect()
            })
        };
        // Nobody holds it yet: the older one gets it.
        assert_eq!(taken(&young, "")["a.shop.apps.test"], "old/old");
        assert!(taken(&old, "").is_empty());
        assert_eq!(taken(&old, "young")["*.shop.apps.test"], "young/young");
        assert!(taken(&young, "young").is_empty());
        // Who names what is everybody's locks out nobody.
        let greedy = app("greedy", "2026-01-01T00:00:00Z", "*.apps.test");
        assert!(taken_hosts(&young, "apps.test", [&greedy], |_| BTreeSet::new()).is_empty());
    }
}

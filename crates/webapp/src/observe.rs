//! The only reads: caches -> [`Observed`].

use std::collections::{BTreeMap, BTreeSet};

use idp_api::{EnvironmentSpec, WebApplication, kinds::ENVIRONMENT};
use idp_runtime::{ObjectKey, View};
use kube::ResourceExt;
use serde::de::DeserializeOwned;

use crate::{
    controller::WebApplicationController,
    hosts::complete_host,
    kinds::{DEPLOYMENT, JOB, POD, VIRTUAL_SERVICE},
    observed::Observed,
};

type Caches = View<WebApplicationController>;

/// Collects what the plan of `app` depends on.
pub fn observe(app: &WebApplication, view: &Caches) -> Observed {
    let key = ObjectKey::of(app);
    let environments: BTreeMap<String, EnvironmentSpec> = view
        .all_facts(ENVIRONMENT)
        .into_iter()
        .filter_map(|(key, facts)| Some((key.name, parse(&facts)?)))
        .collect();
    let base_domain = match environments.values().collect::<Vec<_>>()[..] {
        [environment] => environment.base_domain.as_str(),
        _ => "",
    };
    Observed {
        taken_hosts: taken_hosts(app, base_domain, view),
        migrations: parsed(view.facts_of(JOB, &key))
            .into_iter()
            .map(|(key, state)| (key.name, state))
            .collect(),
        deployment: view
            .facts(DEPLOYMENT, &key.namespace, &key.name)
            .and_then(|facts| parse(&facts)),
        pod_failures: parsed(view.facts_of(POD, &key))
            .into_iter()
            .map(|(_, failure)| failure)
            .collect(),
        assume_migrated: false,
        environments,
    }
}

/// Hosts of `app` that another application holds: the first to hold a host keeps it, and of two that
/// want a free one at the same time the older gets it.
fn taken_hosts(app: &WebApplication, base_domain: &str, view: &Caches) -> BTreeMap<String, String> {
    let wanted: BTreeSet<String> = hosts(app, base_domain).collect();
    let mut taken = BTreeMap::new();
    if wanted.is_empty() {
        return taken;
    }
    let own = held_hosts(app, view);
    for other in view.resources() {
        if ObjectKey::of(other.as_ref()) == ObjectKey::of(app) {
            continue;
        }
        for host in hosts(&other, base_domain).filter(|host| wanted.contains(host)) {
            let other_holds = held_hosts(&other, view).contains(&host);
            let other_is_first = !own.contains(&host) && seniority(&other) < seniority(app);
            if (other_holds && !own.contains(&host)) || other_is_first {
                let holder = ObjectKey::of(other.as_ref());
                taken
                    .entry(host)
                    .or_insert_with(|| format!("{}/{}", holder.namespace, holder.name));
            }
        }
    }
    taken
}

fn hosts(app: &WebApplication, base_domain: &str) -> impl Iterator<Item = String> {
    app.spec
        .routes
        .iter()
        .map(move |route| complete_host(&route.host, base_domain))
}

/// Hosts for which the application has a VirtualService.
fn held_hosts(app: &WebApplication, view: &Caches) -> BTreeSet<String> {
    parsed::<Vec<String>>(view.facts_of(VIRTUAL_SERVICE, &ObjectKey::of(app)))
        .into_iter()
        .flat_map(|(_, hosts)| hosts)
        .collect()
}

/// Sorts older applications first; the name decides between those of the same second.
fn seniority(app: &WebApplication) -> (Option<String>, ObjectKey) {
    (
        app.creation_timestamp().map(|time| time.0.to_string()),
        ObjectKey::of(app),
    )
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

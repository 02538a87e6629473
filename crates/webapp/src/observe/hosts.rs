//! Hosts of an application that others have claimed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use idp_api::{EnvironmentSpec, WebApplication};
use idp_core::names::overlap_terms;
use idp_runtime::{FactsError, ObjectKey};

use super::{Caches, labels};
use crate::{facts::VirtualServiceFacts, hosts, kinds::VIRTUAL_SERVICE};

/// Hosts of `app` that others have claimed, with the claimant.
pub(super) fn taken_hosts(
    app: &WebApplication,
    environment: &EnvironmentSpec,
    view: &Caches,
) -> Result<BTreeMap<String, String>, FactsError> {
    let hosts: BTreeSet<String> = hosts::of(app, &environment.base_domain).collect();
    if hosts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let own: Vec<(ObjectKey, VirtualServiceFacts)> = view.children(VIRTUAL_SERVICE, app)?;
    let terms: BTreeSet<String> = hosts.iter().flat_map(|host| overlap_terms(host)).collect();
    let mut routed: BTreeMap<ObjectKey, VirtualServiceFacts> = BTreeMap::new();
    for term in &terms {
        routed.extend(view.read_by(VIRTUAL_SERVICE, term)?);
    }
    routed.retain(|key, _| !own.iter().any(|(mine, _)| mine == key));
    let rivals = rivals(app, &environment.base_domain, view);
    let claims = hosts::HostClaims {
        environment,
        own: own.into_iter().flat_map(|(_, routed)| routed.hosts).collect(),
        virtual_services: routed,
        applications: rivals.iter().map(AsRef::as_ref).collect(),
        labels: Box::new(|namespace| labels(namespace, view).ok().flatten().unwrap_or_default()),
    };
    Ok(hosts::claimed_by_others(app, &claims))
}

/// The applications, other than `app`, with a host that overlaps with one of its.
pub(super) fn rivals(app: &WebApplication, base_domain: &str, view: &Caches) -> Vec<Arc<WebApplication>> {
    let terms: BTreeSet<String> = hosts::of(app, base_domain)
        .flat_map(|host| hosts::lookups(&host, base_domain))
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

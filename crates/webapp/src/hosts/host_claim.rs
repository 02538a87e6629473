//! Which application has claimed a host: the one that serves it at a gateway, or else the oldest that waits for it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use idp_api::{EnvironmentSpec, WebApplication, environment::Tenant};
use idp_runtime::ObjectKey;
use kube::ResourceExt;

use crate::{
    facts::VirtualServiceFacts,
    hosts::{complete_host, is_everybodys, of, overlap},
    reasons,
};

/// The labels of the namespace of this name.
pub type LabelsOf<'a> = dyn Fn(&str) -> BTreeMap<String, String> + 'a;

/// Everything in the cluster that claims hosts.
pub struct HostClaims<'a> {
    /// The cluster's Environment.
    pub environment: &'a EnvironmentSpec,
    /// Hosts for which the application itself has a VirtualService.
    pub own: BTreeSet<String>,
    /// All other VirtualServices at a gateway: those of applications, and those made by hand.
    pub virtual_services: BTreeMap<ObjectKey, VirtualServiceFacts>,
    /// The applications of the cluster.
    pub applications: Vec<&'a WebApplication>,
    /// Labels of namespaces.
    pub labels: Box<LabelsOf<'a>>,
}

/// An application as claimant, for messages.
pub fn application(key: &ObjectKey) -> String {
    format!("application {key}")
}

/// Hosts of `app` that others have claimed, each with the claimant. The first to serve a host keeps it, and a wildcard
/// includes all hosts below it. Of two applications that want a free host, the older gets it.
///
/// An application whose spec is rejected, or that may not have the host, has claimed only the hosts that it serves: names in a
/// spec that never works must not block others.
pub fn claimed_by_others(app: &WebApplication, claims: &HostClaims<'_>) -> BTreeMap<String, String> {
    let base = &claims.environment.base_domain;
    let mut taken = BTreeMap::new();
    // The hosts that it serves already are its own.
    for host in of(app, base).filter(|host| !claims.own.contains(host)) {
        let claimant = claims
            .served_by(&host)
            .or_else(|| claims.wanted_by_older(&host, app));
        if let Some(claimant) = claimant {
            taken.insert(host, claimant);
        }
    }
    taken
}

impl HostClaims<'_> {
    /// The VirtualService that serves the host. One for every host is the platform's default for unclaimed hosts, and claims
    /// none.
    fn served_by(&self, host: &str) -> Option<String> {
        let base = &self.environment.base_domain;
        let serves = |named: &&String| overlap(named, host) && !is_everybodys(named, base);
        let mut routed = self.virtual_services.iter();
        let (key, routed) = routed.find(|(_, routed)| routed.hosts.iter().any(|named| serves(&named)))?;
        let named = routed.application.as_ref();
        Some(named.map_or_else(
            || format!("VirtualService {key}"),
            |name| application(&ObjectKey::new(key.namespace.clone(), name)),
        ))
    }

    fn wanted_by_older(&self, host: &str, app: &WebApplication) -> Option<String> {
        let base = &self.environment.base_domain;
        let own = ObjectKey::of(app);
        let older = self.applications.iter().filter(|other| {
            let wants = of(other, base).any(|named| {
                overlap(&named, host) && could_take(other, &named, base) && self.may_have(other, &named)
            });
            wants && ObjectKey::of(**other) != own && seniority(other) < seniority(app)
        });
        let oldest = older.min_by_key(|other| seniority(other))?;
        Some(application(&ObjectKey::of(*oldest)))
    }

    fn may_have(&self, other: &WebApplication, host: &str) -> bool {
        let base = &self.environment.base_domain;
        let namespace = other.namespace().unwrap_or_default();
        let labels = (self.labels)(&namespace);
        let tenant = Tenant {
            namespace: &namespace,
            labels: &labels,
        };
        let gateways = &self.environment.gateway;
        let mut routes = other.spec.routes.iter();
        !is_everybodys(host, base)
            && routes.any(|route| {
                complete_host(&route.host, base) == host
                    && self
                        .environment
                        .hosts
                        .check(host, gateways.other(route.gateway.as_deref()), base, tenant)
                        .is_ok()
            })
    }
}

/// Whether an application that does not serve `host` yet could: it is new, or its only problem was that others had claimed this
/// host.
fn could_take(other: &WebApplication, host: &str, base_domain: &str) -> bool {
    if other.metadata.deletion_timestamp.is_some() {
        return false;
    }
    let is_current =
        |status: &&idp_api::WebApplicationStatus| status.observed_generation == other.metadata.generation;
    let Some(status) = other.status.as_ref().filter(is_current) else {
        return true;
    };
    let routes = other.spec.routes.iter().enumerate();
    let waits: BTreeSet<String> = routes
        .filter(|(_, route)| complete_host(&route.host, base_domain) == host)
        .map(|(index, _)| format!("spec.routes[{index}].host"))
        .collect();
    let mut errors = status.problems.iter().filter(|problem| problem.is_error());
    errors.all(|problem| {
        problem.reason == reasons::HOST_TAKEN
            && problem.path.as_ref().is_some_and(|path| waits.contains(path))
    })
}

/// Sorts older applications first, by name within the same second. One that is not created yet comes last.
fn seniority(app: &WebApplication) -> (bool, Option<String>, ObjectKey) {
    let created = app.creation_timestamp().map(|time| time.0.to_string());
    (created.is_none(), created, ObjectKey::of(app))
}

#[cfg(test)]
mod tests {
    use idp_api::WebApplicationSpec;
    use serde_json::{Value, json};

    use super::*;

    fn app(name: &str, created: &str, routes: &Value) -> WebApplication {
        let spec: WebApplicationSpec =
            serde_json::from_value(json!({"image": "a:1", "routes": routes})).unwrap();
        let mut app = WebApplication::new(name, spec);
        app.metadata = serde_json::from_value(json!({
            "name": name, "namespace": name, "creationTimestamp": created, "generation": 1,
        }))
        .unwrap();
        app
    }

    fn old(routes: &Value) -> WebApplication {
        app("old", "2026-01-01T00:00:00Z", routes)
    }

    fn young(host: &str) -> WebApplication {
        app("young", "2026-02-01T00:00:00Z", &json!([{"host": host}]))
    }

    fn with_problems(mut app: WebApplication, problems: &Value) -> WebApplication {
        app.status = serde_json::from_value(json!({"observedGeneration": 1, "problems": problems})).unwrap();
        app
    }

    fn environment() -> EnvironmentSpec {
        serde_json::from_value(json!({
            "baseDomain": "apps.test", "sizes": {}, "defaultSize": "small",
            "hosts": {"allowed": [
                {"namespaces": [{"matchLabels": {"team": "shop"}}], "dns": {"exact": ["*.shop.apps.test", "a.shop.apps.test"]}},
            ]},
        }))
        .unwrap()
    }

    fn taken(
        app: &WebApplication,
        others: &[&WebApplication],
        routed: &[(&str, &str, &str)],
    ) -> BTreeMap<String, String> {
        let environment = environment();
        let routed = routed.iter().map(|(namespace, name, host)| {
            let routed = VirtualServiceFacts {
                hosts: vec![(*host).to_owned()],
                application: (*namespace != "istio-system").then(|| (*name).to_owned()),
            };
            (ObjectKey::new(*namespace, *name), routed)
        });
        let claims = HostClaims {
            environment: &environment,
            own: BTreeSet::new(),
            virtual_services: routed.collect(),
            applications: others.iter().copied().chain([app]).collect(),
            labels: Box::new(|_| [("team".to_owned(), "shop".to_owned())].into()),
        };
        super::claimed_by_others(app, &claims)
    }

    #[test]
    fn a_claimed_host_is_claimed_against_wildcards_too() {
        let (old, young) = (old(&json!([{"host": "*.shop"}])), young("a.shop.apps.test"));
        // The host is free: the older application gets it.
        assert_eq!(
            taken(&young, &[&old], &[])["a.shop.apps.test"],
            "application old/old"
        );
        assert!(taken(&old, &[&young], &[]).is_empty());
        let held = [("young", "young", "a.shop.apps.test")];
        assert_eq!(
            taken(&old, &[&young], &held)["*.shop.apps.test"],
            "application young/young"
        );
        // A host of all applications cannot be claimed, and blocks no other.
        let greedy = app(
            "greedy",
            "2026-01-01T00:00:00Z",
            &json!([{"host": "*.apps.test"}]),
        );
        assert!(taken(&young, &[&greedy], &[]).is_empty());
    }

    #[test]
    fn a_rejected_application_claims_nothing() {
        let routes = json!([{"host": "payments"}, {"host": "other"}, {"host": "www.bank.org"}]);
        let young = young("payments");
        let error = |reason: &str, path: &str| json!([{"severity": "Error", "reason": reason, "path": path, "message": "x"}]);
        let holds = |old: &WebApplication| !taken(&young, &[old], &[]).is_empty();
        assert!(holds(&old(&routes)), "it is new");
        assert!(holds(&with_problems(old(&routes), &json!([]))));
        assert!(!holds(&with_problems(
            old(&routes),
            &error("UnknownSize", "spec.resources.size")
        )));
        // It waits for this host itself. For another host it could wait forever.
        assert!(holds(&with_problems(
            old(&routes),
            &error("HostTaken", "spec.routes[0].host")
        )));
        assert!(!holds(&with_problems(
            old(&routes),
            &error("HostTaken", "spec.routes[1].host")
        )));
        // Problems of an earlier spec do not count.
        let mut corrected = with_problems(old(&routes), &error("UnknownSize", "spec.resources.size"));
        corrected.metadata.generation = Some(2);
        assert!(holds(&corrected));
        // It cannot claim a host that it may not have.
        let bank = super::tests::young("www.bank.org");
        assert!(taken(&bank, &[&old(&routes)], &[]).is_empty());
    }

    #[test]
    fn whoever_answers_for_a_host_holds_it() {
        let young = young("grafana");
        let platform = [("istio-system", "grafana", "grafana.apps.test")];
        assert_eq!(
            taken(&young, &[], &platform)["grafana.apps.test"],
            "VirtualService istio-system/grafana"
        );
        assert!(taken(&young, &[], &[("istio-system", "all", "*")]).is_empty());
        assert!(taken(&young, &[], &[("istio-system", "all", "*.apps.test")]).is_empty());
        // Also for what its spec does not name any more, while its routes are as they were.
        let moved = old(&json!([{"host": "elsewhere"}]));
        assert_eq!(
            taken(&young, &[&moved], &[("old", "old", "grafana.apps.test")])["grafana.apps.test"],
            "application old/old"
        );
    }
}

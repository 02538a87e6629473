//! VirtualService: which requests reach the application through a gateway, and how.

mod http;

use std::collections::{BTreeMap, BTreeSet};

use idp_core::Child;
use serde_json::{Value, json};

use super::traffic;
use crate::{
    kinds,
    validate::{ValidRoute, Validated},
};

/// One VirtualService for each host, because hosts may use different gateways. It applies to gateways only: calls
/// inside the mesh reach the Service unchanged.
pub(super) fn children(app: &Validated) -> Vec<Child> {
    let mut hosts: BTreeMap<&str, Vec<&ValidRoute>> = BTreeMap::new();
    for route in &app.routes {
        hosts.entry(&route.host).or_default().push(route);
    }
    hosts
        .into_iter()
        .map(|(host, routes)| virtual_service(app, host, routes))
        .collect()
}

fn virtual_service(app: &Validated, host: &str, mut routes: Vec<&ValidRoute>) -> Child {
    let gateways: BTreeSet<String> = routes.iter().map(|route| gateway(app, route)).collect();
    routes.sort_by_key(|route| (http::precedence(route), gateway(app, route)));
    let several = gateways.len() > 1;
    let http = routes.iter().flat_map(|route| {
        // If a host uses several gateways, each route applies to its own only.
        let only_at = several.then(|| gateway(app, route));
        http::entries(app, route, only_at.as_deref())
    });
    let spec = json!({"hosts": [host], "gateways": gateways, "http": http.collect::<Vec<Value>>()});
    Child::with_spec(
        kinds::VIRTUAL_SERVICE,
        &app.child_meta(traffic::name_for(app, host)),
        spec,
    )
}

/// The route's Gateway as `namespace/name`.
fn gateway(app: &Validated, route: &ValidRoute) -> String {
    route
        .gateway
        .clone()
        .unwrap_or_else(|| format!("{}/{}", app.namespace, app.name))
}

#[cfg(test)]
mod tests {
    use idp_api::web_application::PathMatch;

    use super::*;
    use crate::plan::fixture::{app, only_spec, route};

    #[test]
    fn one_per_host_with_its_own_name() {
        let mut app = app();
        app.routes = vec![
            route("b.example.com", "/"),
            route("a.example.com", "/"),
            route("b.example.com", "/api"),
        ];
        let both = children(&app);
        let hosts: Vec<&Value> = both
            .iter()
            .map(|child| &child.object["spec"]["hosts"][0])
            .collect();
        assert_eq!(hosts, ["a.example.com", "b.example.com"]);
        app.routes.remove(1);
        assert_eq!(children(&app), both[1..]);
    }

    #[test]
    fn most_specific_first() {
        let exact = |path| ValidRoute {
            path_match: PathMatch::Exact,
            ..route("a.example.com", path)
        };
        let prefix = |path| route("a.example.com", path);
        let mut app = app();
        app.routes = vec![
            prefix("/"),
            prefix("/api"),
            exact("/"),
            prefix("/api/v2"),
            exact("/api/v2"),
        ];
        let children = children(&app);
        let uris: Vec<Value> = only_spec(&children)["http"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["match"].as_array().unwrap().last().unwrap()["uri"].clone())
            .collect();
        assert_eq!(
            uris,
            [
                json!({"exact": "/api/v2"}),
                json!({"exact": "/"}),
                json!({"prefix": "/api/v2/"}),
                json!({"prefix": "/api/"}),
                json!({"prefix": "/"}),
            ]
        );
    }

    #[test]
    fn a_host_at_two_gateways() {
        let mut app = app();
        app.routes = vec![route("a.example.com", "/"), route("a.example.com", "/internal")];
        app.routes[1].gateway = Some("istio-system/internal".into());
        let children = children(&app);
        let spec = only_spec(&children);
        assert_eq!(spec["gateways"], json!(["istio-system/internal", "team-a/shop"]));
        assert_eq!(
            spec["http"][0]["match"][0]["gateways"],
            json!(["istio-system/internal"])
        );
        assert_eq!(spec["http"][1]["match"][0]["gateways"], json!(["team-a/shop"]));
    }
}

//! What several children want to know of an application's traffic.

use std::collections::BTreeSet;

use idp_api::{environment::MeshMode, web_application::AppProtocol};
use idp_core::{hash, labels};
use serde_json::{Value, json};

use crate::validate::{ValidPort, Validated};

/// Every pod of the application, those of migrations and jobs too: what guards the application's traffic in either
/// direction guards theirs.
pub(super) fn every_pod(app: &Validated) -> Value {
    json!({"matchLabels": labels::every_pod(&app.name)})
}

/// Name of a child for one of many things, such as a host. It depends on nothing but the thing, so that one more
/// or one less renames (deletes and creates) none of the others.
pub(super) fn name_for(app: &Validated, thing: &str) -> String {
    hash::bounded_name(&app.name, &short_hash(thing), 63)
}

/// Eight hexadecimal digits that stand for a text which may be too long or have the wrong characters for a name.
pub(super) fn short_hash(text: &str) -> String {
    hash::text(text)[..8].to_owned()
}

/// Container ports that routes lead to. A redirect is answered by the gateway and leads to none.
pub(super) fn routed_ports(app: &Validated) -> BTreeSet<i32> {
    app.routes
        .iter()
        .filter(|route| route.redirect.is_none())
        .map(|route| route.port.port)
        .collect()
}

/// Container ports, sorted and once each.
pub(super) fn port_numbers(ports: &[ValidPort]) -> BTreeSet<i32> {
    ports.iter().map(|port| port.port).collect()
}

/// How Prometheus gets at the metrics of an application in the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scrape {
    /// Without a certificate.
    Anonymous {
        /// Whether the proxy sees requests, so that only the path of the metrics is open.
        only_path: bool,
    },
    /// With a certificate of the monitoring namespace: Prometheus must be in the mesh.
    Authenticated,
}

/// How Prometheus gets at the metrics; `None` when there are none, or no mesh.
///
/// Prometheus is seldom in the mesh, and a scrape by pod address presents no certificate then: with `STRICT` alone
/// it fails, and the alerts with it. (Istio's merged metrics on 15020 need annotations on the pod, and a
/// ServiceMonitor cannot name a port that no container declares.) So the metrics port takes plaintext wherever
/// that opens nothing else, because the port has no other use, or because a sidecar can hold anonymous requests to
/// the metrics' path. In both cases the NetworkPolicy still says from where. What is left is a port that serves
/// requests too, with only ztunnel before it, which sees no paths: it stays strict.
pub(super) fn scrape(app: &Validated) -> Option<Scrape> {
    let (_, port) = app.metrics.as_ref().filter(|_| app.in_mesh())?;
    let called = app
        .inbound
        .iter()
        .any(|caller| caller.ports.iter().any(|open| open.port == port.port));
    let own_port = !called && !routed_ports(app).contains(&port.port);
    let only_path = app.mesh.mode == MeshMode::Sidecar && port.protocol != AppProtocol::Tcp;
    Some(if own_port || only_path {
        Scrape::Anonymous { only_path }
    } else {
        Scrape::Authenticated
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::{app, metrics, port, route};

    #[test]
    fn redirects_lead_to_no_port() {
        let mut app = app();
        app.routes = vec![route("a.example.com", "/")];
        assert_eq!(routed_ports(&app), [8080].into());
        app.routes[0].redirect = Some(Default::default());
        assert!(routed_ports(&app).is_empty());
    }

    #[test]
    fn metrics_are_open_only_where_that_opens_nothing_else() {
        let mut app = app();
        assert_eq!(scrape(&app), None);
        app.routes = vec![route("a.example.com", "/")];
        app.metrics = Some(metrics(port("http", 8080)));
        assert_eq!(scrape(&app), Some(Scrape::Anonymous { only_path: true }));
        app.mesh.mode = MeshMode::Ambient;
        assert_eq!(scrape(&app), Some(Scrape::Authenticated));
        app.metrics = Some(metrics(port("metrics", 9090)));
        assert_eq!(scrape(&app), Some(Scrape::Anonymous { only_path: false }));
        app.mesh.mode = MeshMode::None;
        assert_eq!(scrape(&app), None);
    }
}

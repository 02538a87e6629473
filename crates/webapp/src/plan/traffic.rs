//! Helpers about an application's traffic, shared by several children.

use std::collections::BTreeSet;

use idp_api::{environment::MeshMode, web_application::AppProtocol};
use idp_core::{hash, labels};
use serde_json::{Value, json};

use crate::validate::{ValidPort, Validated};

/// Every pod of the application, including those of migrations and jobs: policies for the application's traffic apply
/// to them too.
pub(super) fn every_pod(app: &Validated) -> Value {
    json!({"matchLabels": labels::every_pod(&app.name)})
}

/// Name of a child for one item, such as a host. It depends only on the item, so that adding or removing items
/// renames (deletes and creates) none of the others.
pub(super) fn name_for(app: &Validated, thing: &str) -> String {
    hash::bounded_name(&app.name, &short_hash(thing), 63)
}

/// Eight hexadecimal digits that represent a text that may be too long for a name, or contain invalid characters.
pub(super) fn short_hash(text: &str) -> String {
    hash::text(text)[..8].to_owned()
}

/// Container ports of routes. The gateway itself responds to redirects, so they have none.
pub(super) fn routed_ports(app: &Validated) -> BTreeSet<i32> {
    app.routes
        .iter()
        .filter(|route| route.redirect.is_none())
        .map(|route| route.port.port)
        .collect()
}

/// Container ports, sorted, without duplicates.
pub(super) fn port_numbers(ports: &[ValidPort]) -> BTreeSet<i32> {
    ports.iter().map(|port| port.port).collect()
}

/// How Prometheus scrapes an application in the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scrape {
    /// Without a certificate.
    Anonymous {
        /// Whether the proxy parses requests, so that only the metrics path is open.
        only_path: bool,
    },
    /// With a certificate of the monitoring namespace: Prometheus must be in the mesh.
    Authenticated,
}

/// How Prometheus scrapes the metrics; `None` without metrics or without a mesh.
///
/// Prometheus is rarely in the mesh, and then a scrape by pod address has no certificate: with `STRICT` it fails, and
/// so do the alerts. (Istio's merged metrics on port 15020 require annotations on the pod, and a ServiceMonitor can
/// only name a port that a container declares.) So the metrics port accepts plaintext if that exposes nothing else:
/// either the port has no other use, or a sidecar restricts anonymous requests to the metrics path. In both cases the
/// NetworkPolicy still restricts the sources. The remaining case is a port that also serves requests behind ztunnel,
/// which does not see paths: it stays strict.
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
    fn metrics_are_open_only_if_that_exposes_nothing_else() {
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

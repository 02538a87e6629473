//! ServiceEntry: external hosts that the application may call.

use std::collections::{BTreeMap, BTreeSet};

use idp_core::Child;
use serde_json::{Value, json};

use super::traffic;
use crate::{kinds, validate::Validated};

/// One entry for each host, with all its ports. It makes the host known, and so allowed, if the mesh rejects unknown
/// hosts (`outboundTrafficPolicy: REGISTRY_ONLY`); otherwise it only adds metrics.
pub(super) fn children(app: &Validated) -> Vec<Child> {
    if !app.in_mesh() {
        return Vec::new();
    }
    let mut hosts: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for (host, port) in app.external_hosts() {
        hosts.entry(host).or_default().insert(port);
    }
    hosts
        .iter()
        .map(|(host, ports)| entry(app, host, ports))
        .collect()
}

fn entry(app: &Validated, host: &str, ports: &BTreeSet<i32>) -> Child {
    let spec = json!({
        "hosts": [host],
        "location": "MESH_EXTERNAL",
        "resolution": resolution(host, ports),
        "ports": ports.iter().map(|number| port(*number)).collect::<Vec<Value>>(),
        // Exported only to this namespace: one application's permissions are not for the whole mesh.
        "exportTo": ["."],
    });
    Child::with_spec(
        kinds::SERVICE_ENTRY,
        &app.child_meta(traffic::name_for(app, host)),
        spec,
    )
}

/// How the proxy resolves the host. By DNS, so that a client cannot send the allowed name to another address.
/// Exceptions are wildcards, which cannot be resolved, and plain TCP, which has no host name: DNS resolution would
/// redirect all connections on that port to this host. These use the address that the client connects to.
fn resolution(host: &str, ports: &BTreeSet<i32>) -> &'static str {
    let named = |number: &i32| protocol(*number) != "TCP";
    if !host.starts_with("*.") && ports.iter().all(named) {
        "DNS"
    } else {
        "NONE"
    }
}

fn port(number: i32) -> Value {
    let protocol = protocol(number);
    json!({"number": number, "name": format!("{}-{number}", protocol.to_lowercase()), "protocol": protocol})
}

/// The usual protocol of a port, only if it is certain: if the proxy expects TLS on a port with another protocol, the
/// connection fails.
fn protocol(number: i32) -> &'static str {
    match number {
        443 => "TLS",
        80 => "HTTP",
        _ => "TCP",
    }
}

#[cfg(test)]
mod tests {
    use idp_api::environment::MeshMode;
    use idp_core::capability::{Egress, EgressPeer};

    use super::*;
    use crate::plan::fixture::{app, external, only_spec};

    #[test]
    fn one_entry_per_host() {
        let mut app = app();
        let pay = || external("pay.example.com", 443);
        app.outbound = vec![pay(), external("pay.example.com", 80), pay()];
        let children = children(&app);
        let spec = only_spec(&children);
        assert_eq!(spec["resolution"], "DNS");
        assert_eq!(
            spec["ports"],
            json!([
                {"number": 80, "name": "http-80", "protocol": "HTTP"},
                {"number": 443, "name": "tls-443", "protocol": "TLS"},
            ])
        );
    }

    #[test]
    fn hosts_of_capabilities_too() {
        let mut app = app();
        app.supplies.egress = vec![Egress {
            to: EgressPeer::Host("sqs.example.com".into()),
            ports: vec![443],
        }];
        assert_eq!(only_spec(&children(&app))["hosts"], json!(["sqs.example.com"]));
    }

    #[test]
    fn names_do_not_depend_on_other_hosts() {
        let mut app = app();
        app.outbound = vec![external("b.example.com", 443)];
        let alone = children(&app)[0].name.clone();
        app.outbound.insert(0, external("a.example.com", 443));
        assert_eq!(
            children(&app).iter().filter(|child| child.name == alone).count(),
            1
        );
        assert!(alone.starts_with("shop-") && alone.len() == "shop-".len() + 8);
    }

    #[test]
    fn connections_without_host_name_are_not_redirected() {
        let mut app = app();
        app.outbound = vec![external("db.example.com", 5432)];
        assert_eq!(only_spec(&children(&app))["resolution"], "NONE");
        app.outbound = vec![external("*.example.com", 443)];
        assert_eq!(only_spec(&children(&app))["resolution"], "NONE");
    }

    #[test]
    fn nothing_without_a_mesh() {
        let mut app = app();
        app.mesh.mode = MeshMode::None;
        app.outbound = vec![external("a.example.com", 443)];
        assert!(children(&app).is_empty());
    }
}

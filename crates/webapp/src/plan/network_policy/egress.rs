//! Destinations to which the application may connect.

use std::collections::BTreeSet;

use idp_api::{
    environment::MeshMode,
    web_application::{Cidr, Peer},
};
use idp_core::{
    capability::{Egress, EgressPeer},
    labels,
};
use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{NetworkPolicyEgressRule, NetworkPolicyPeer};

use super::{HBONE, block, once, pods, port, tcp};
use crate::{ip_ranges, validate::Validated};

/// Port of istiod: configuration and certificates of sidecars.
const ISTIOD: i32 = 15012;

pub(super) fn rules(app: &Validated) -> Vec<NetworkPolicyEgressRule> {
    let applications = app
        .outbound
        .iter()
        .filter_map(|to| to.application.as_ref())
        .map(|peer| called(app, peer));
    let ranges = app.outbound.iter().filter_map(|to| to.cidr.as_ref());
    let ranges = ranges.filter_map(|cidr| range(app, cidr));
    let supplied = app
        .supplies
        .egress
        .iter()
        .filter_map(|egress| supplied(app, egress));
    once(
        [dns(app)]
            .into_iter()
            .chain(istiod(app))
            .chain(applications)
            .chain(ranges)
            .chain(supplied)
            .chain(outside(app)),
    )
}

fn rule(to: Vec<NetworkPolicyPeer>, ports: impl IntoIterator<Item = i32>) -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule {
        to: Some(to),
        ports: tcp(ports),
    }
}

/// DNS. Any pod of the DNS server's namespace, because its labels differ between distributions; TCP for responses
/// that do not fit into a datagram.
fn dns(app: &Validated) -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule {
        to: Some(vec![pods(Some(&app.dns_namespace), None)]),
        ports: Some(vec![port("UDP", 53), port("TCP", 53)]),
    }
}

/// A sidecar receives its configuration through the pod's network. ztunnel runs on the node.
fn istiod(app: &Validated) -> Option<NetworkPolicyEgressRule> {
    (app.mesh.mode == MeshMode::Sidecar).then(|| rule(vec![pods(Some(&app.mesh.namespace), None)], [ISTIOD]))
}

/// Another application. Its own policy restricts the ports; a rule without ports here also permits the tunnel of
/// ambient mode.
fn called(app: &Validated, peer: &Peer) -> NetworkPolicyEgressRule {
    let namespace = peer.namespace.as_deref().unwrap_or(&app.namespace);
    rule(
        vec![pods(Some(namespace), Some(labels::every_pod(&peer.name)))],
        [],
    )
}

/// A range, excluding blocked ranges. `None` if nothing remains: the range gets no rule, rather than a rule without
/// exceptions.
fn reachable(app: &Validated, range: &str) -> Option<NetworkPolicyPeer> {
    let range: IpNet = range.parse().ok()?;
    let except = ip_ranges::parts(range, &ip_ranges::never(&app.cluster_ranges))?;
    Some(block(range, &except))
}

fn range(app: &Validated, cidr: &Cidr) -> Option<NetworkPolicyEgressRule> {
    let ports: BTreeSet<i32> = cidr.ports.iter().copied().collect();
    // A rule without ports would permit every port of every protocol.
    (!ports.is_empty()).then(|| Some(rule(vec![reachable(app, &cidr.range)?], ports)))?
}

/// Connections that a capability's section requires, such as databases. [`outside`] has the hosts.
fn supplied(app: &Validated, egress: &Egress) -> Option<NetworkPolicyEgressRule> {
    let mut ports: BTreeSet<i32> = egress.ports.iter().copied().map(i32::from).collect();
    let to = match &egress.to {
        EgressPeer::Pods { namespace, labels } => {
            if app.mesh.mode == MeshMode::Ambient {
                ports.insert(HBONE);
            }
            pods(Some(namespace), Some(labels.clone()))
        }
        EgressPeer::Range(range) => reachable(app, range)?,
        EgressPeer::Host(_) => return None,
    };
    Some(rule(vec![to], ports))
}

/// Hosts outside the cluster. A NetworkPolicy supports only addresses, and those of a host change: so it opens the
/// port to every public address, and the mesh checks the host (see the ServiceEntry). A host with a private address
/// is not external: use `cidr` for it.
fn outside(app: &Validated) -> Option<NetworkPolicyEgressRule> {
    let ports: BTreeSet<i32> = app.external_hosts().map(|(_, port)| port).collect();
    let inside = ip_ranges::inside(&app.cluster_ranges);
    let everywhere = ["0.0.0.0/0", "::/0"].into_iter().filter_map(|all| {
        let all: IpNet = all.parse().ok()?;
        Some(block(all, &ip_ranges::parts(all, &inside)?))
    });
    (!ports.is_empty()).then(|| rule(everywhere.collect(), ports))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::fixture::{app, cidr, external, peer};

    fn as_json(app: &Validated) -> Value {
        serde_json::to_value(rules(app)).unwrap()
    }

    #[test]
    fn dns_always_and_istiod_for_sidecars() {
        let mut app = app();
        let named = |name: &str| json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}]);
        let dns = json!({"to": named("kube-system"), "ports": [
            {"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]});
        let istiod = json!({"to": named("istio-system"), "ports": [{"protocol": "TCP", "port": 15012}]});
        assert_eq!(as_json(&app), json!([dns, istiod]));
        app.mesh.mode = MeshMode::Ambient;
        assert_eq!(as_json(&app), json!([dns]));
    }

    #[test]
    fn external_hosts_never_open_private_addresses() {
        let mut app = app();
        app.mesh.mode = MeshMode::None;
        app.outbound = vec![external("b.example.com", 8443), external("a.example.com", 443)];
        app.outbound.push(external("c.example.com", 443));
        let rules = as_json(&app);
        assert_eq!(rules.as_array().unwrap().len(), 2);
        let ports: Vec<i64> = rules[1]["ports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["port"].as_i64().unwrap())
            .collect();
        assert_eq!(ports, [443, 8443]);
        let [v4, v6] = rules[1]["to"].as_array().unwrap().as_slice() else {
            panic!("{rules}")
        };
        assert_eq!(
            (&v4["ipBlock"]["cidr"], &v6["ipBlock"]["cidr"]),
            (&json!("0.0.0.0/0"), &json!("::/0"))
        );
        let closed = |peer: &Value, range: &str| {
            let range: IpNet = range.parse().unwrap();
            let except = peer["ipBlock"]["except"].as_array().unwrap().iter();
            except
                .map(|part| part.as_str().unwrap().parse::<IpNet>().unwrap())
                .any(|part| part.contains(&range))
        };
        for range in [
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "224.0.0.0/4",
        ] {
            assert!(closed(v4, range), "{range}: {v4}");
        }
        for range in ["::1/128", "64:ff9b::/96", "fc00::/7", "fe80::/10", "ff00::/8"] {
            assert!(closed(v6, range), "{range}: {v6}");
        }
        assert!(!closed(v4, "203.0.113.0/24") && !closed(v6, "2001:db8::/32"));
        app.cluster_ranges = vec!["203.0.113.0/24".into()];
        assert!(closed(&as_json(&app)[1]["to"][0], "203.0.113.7/32"));
    }

    #[test]
    fn a_wide_range_excludes_blocked_ranges() {
        let mut app = app();
        app.mesh.mode = MeshMode::None;
        app.cluster_ranges = vec!["10.1.0.0/16".into()];
        app.outbound = vec![
            cidr("10.0.0.0/8", &[443]),
            cidr("10.1.2.0/24", &[443]),
            cidr("10.3.0.0/16", &[]),
        ];
        let rules = as_json(&app);
        assert_eq!(
            rules.as_array().unwrap()[1..],
            [
                json!({"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}],
                "ports": [{"protocol": "TCP", "port": 443}]})
            ]
        );
        app.supplies.egress = vec![Egress {
            to: EgressPeer::Range("169.254.169.254/32".into()),
            ports: vec![80],
        }];
        assert_eq!(as_json(&app), rules);
    }

    #[test]
    fn only_connections_that_capabilities_require() {
        let mut app = app();
        app.mesh.mode = MeshMode::None;
        let to = |to, port| Egress {
            to,
            ports: vec![port],
        };
        let database = EgressPeer::Pods {
            namespace: "team-a".into(),
            labels: [("role".to_owned(), "db".to_owned())].into(),
        };
        app.supplies.egress = vec![
            to(database, 5432),
            to(EgressPeer::Range("10.1.0.0/16".into()), 6379),
            to(EgressPeer::Host("sqs.example.com".into()), 443),
        ];
        let pods = json!([{
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "team-a"}},
            "podSelector": {"matchLabels": {"role": "db"}},
        }]);
        let tcp = |port| json!({"protocol": "TCP", "port": port});
        let rules = as_json(&app);
        assert_eq!(rules[1], json!({"to": pods, "ports": [tcp(5432)]}));
        assert_eq!(
            rules[2],
            json!({"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": [tcp(6379)]})
        );
        assert_eq!(rules[3]["ports"], json!([tcp(443)]));
        app.mesh.mode = MeshMode::Ambient;
        assert_eq!(
            as_json(&app)[1]["ports"],
            json!([tcp(5432), tcp(HBONE)]),
            "between pods of an ambient mesh everything goes through the tunnel"
        );
    }

    #[test]
    fn applications_and_ranges() {
        let mut app = app();
        app.mesh.mode = MeshMode::None;
        app.outbound = vec![
            peer("db", None),
            peer("db", Some("team-a")),
            cidr("10.1.0.0/16", &[5432, 5432]),
        ];
        assert_eq!(
            as_json(&app).as_array().unwrap()[1..],
            [
                json!({"to": [{
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "team-a"}},
                    "podSelector": {"matchLabels": {"idp.dev/application": "db"}},
                }]}),
                json!({"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": [{"protocol": "TCP", "port": 5432}]}),
            ]
        );
    }
}

//! Sources that may connect to the application.

use std::collections::BTreeSet;

use idp_api::environment::MeshMode;
use idp_core::labels;
use k8s_openapi::api::networking::v1::{NetworkPolicyIngressRule, NetworkPolicyPeer};

use super::{HBONE, addresses, once, pods, tcp};
use crate::{
    plan::traffic,
    validate::{ValidInbound, Validated},
};

/// Ports of a sidecar's metrics: merged with the application's own, and only Envoy's. Both bypass the proxy, so they
/// use plaintext even if the mesh is strict; objectives and dashboards use their request counts.
const SIDECAR_METRICS: [i32; 2] = [15020, 15090];

/// Source address of a kubelet's probes in ambient mode, rewritten by istio-cni.
const AMBIENT_PROBES: [&str; 2] = ["169.254.7.127/32", "fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128"];

pub(super) fn rules(app: &Validated) -> Vec<NetworkPolicyIngressRule> {
    let callers = app.inbound.iter().map(|from| inbound(app, from));
    once(
        gateway(app)
            .into_iter()
            .chain(callers)
            .chain(metrics(app))
            .chain(probes(app)),
    )
}

/// Policies are enforced at the pod, on container ports, after the Service has been resolved.
fn rule(from: Vec<NetworkPolicyPeer>, ports: impl IntoIterator<Item = i32>) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule {
        from: Some(from),
        ports: tcp(ports),
    }
}

/// The ports that peers in the mesh connect to. A sidecar's proxy intercepts inside the pod, so the port is the same
/// as without a mesh. In ambient mode all connections arrive through one tunnel port, independent of the target port,
/// which the AuthorizationPolicy checks. The target ports stay open to the same peers: if ztunnel does not capture a
/// pod, the policy has the same effect as without a mesh; if it does, it rejects plaintext.
fn reachable(app: &Validated, mut ports: BTreeSet<i32>) -> BTreeSet<i32> {
    if app.mesh.mode == MeshMode::Ambient {
        ports.insert(HBONE);
    }
    ports
}

fn gateway(app: &Validated) -> Option<NetworkPolicyIngressRule> {
    let ports = traffic::routed_ports(app);
    // A rule without ports would permit every port.
    if ports.is_empty() {
        return None;
    }
    let gateway = pods(Some(&app.gateway.namespace), Some(app.gateway.selector.clone()));
    Some(rule(vec![gateway], reachable(app, ports)))
}

fn inbound(app: &Validated, from: &ValidInbound) -> NetworkPolicyIngressRule {
    let caller = from.application.as_deref().map(labels::every_pod);
    let peer = pods(from.namespace.as_deref(), caller);
    rule(vec![peer], reachable(app, traffic::port_numbers(&from.ports)))
}

/// Prometheus: the metrics of the application and the sidecar.
fn metrics(app: &Validated) -> Option<NetworkPolicyIngressRule> {
    let mut ports: BTreeSet<i32> = app.metrics.iter().map(|(_, port)| port.port).collect();
    if !ports.is_empty() {
        ports = reachable(app, ports);
    }
    let monitored = app.monitoring.prometheus_operator || app.monitoring.dashboards;
    if app.mesh.mode == MeshMode::Sidecar && monitored {
        ports.extend(SIDECAR_METRICS);
    }
    (!ports.is_empty()).then(|| rule(vec![pods(Some(&app.monitoring.namespace), None)], ports))
}

/// The kubelet's probes. With every network plugin a node can reach its own pods, so they usually need no rule, but
/// in ambient mode their source address belongs to no node.
fn probes(app: &Validated) -> Option<NetworkPolicyIngressRule> {
    let peers = AMBIENT_PROBES
        .iter()
        .map(|address| addresses(address, &[]))
        .collect();
    (app.mesh.mode == MeshMode::Ambient).then(|| rule(peers, traffic::port_numbers(&app.ports)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::fixture::{app, caller, metrics as metrics_of, port, route};

    fn as_json(app: &Validated) -> Value {
        serde_json::to_value(rules(app)).unwrap()
    }

    #[test]
    fn the_gateway_reaches_routed_ports_only() {
        let mut app = app();
        app.mesh.mode = MeshMode::None;
        app.ports.push(port("admin", 9000));
        app.routes = vec![route("a.example.com", "/"), route("b.example.com", "/")];
        let expected = json!([{
            "from": [{
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-system"}},
                "podSelector": {"matchLabels": {"istio": "ingressgateway"}},
            }],
            "ports": [{"protocol": "TCP", "port": 8080}],
        }]);
        assert_eq!(as_json(&app), expected);
    }

    #[test]
    fn redirects_open_nothing() {
        let mut app = app();
        app.mesh.mode = MeshMode::None;
        app.routes = vec![route("a.example.com", "/")];
        app.routes[0].redirect = Some(Default::default());
        assert_eq!(as_json(&app), json!([]));
    }

    #[test]
    fn callers_by_application_and_namespace() {
        let mut app = app();
        app.mesh.mode = MeshMode::None;
        app.inbound = vec![
            caller(Some("web"), Some("team-b")),
            caller(None, Some("team-b")),
            caller(None, None),
        ];
        app.inbound.push(caller(None, None));
        let team = json!({"matchLabels": {"kubernetes.io/metadata.name": "team-b"}});
        let web = json!({"matchLabels": {"idp.dev/application": "web"}});
        let ports = json!([{"protocol": "TCP", "port": 8080}]);
        let expected = json!([
            {"from": [{"namespaceSelector": team, "podSelector": web}], "ports": ports},
            {"from": [{"namespaceSelector": team}], "ports": ports},
            {"from": [{"namespaceSelector": {}}], "ports": ports},
        ]);
        assert_eq!(as_json(&app), expected);
    }

    #[test]
    fn prometheus_reaches_the_sidecar_and_the_metrics_port() {
        let mut app = app();
        app.metrics = Some(metrics_of(port("metrics", 9090)));
        let ports = |rules: Value| -> Vec<i64> {
            rules[0]["ports"]
                .as_array()
                .unwrap()
                .iter()
                .map(|port| port["port"].as_i64().unwrap())
                .collect()
        };
        assert_eq!(ports(as_json(&app)), [9090, 15020, 15090]);
        app.mesh.mode = MeshMode::Ambient;
        assert_eq!(ports(as_json(&app)), [9090, 15008]);
        app.mesh.mode = MeshMode::None;
        assert_eq!(ports(as_json(&app)), [9090]);
    }

    #[test]
    fn ambient_lets_probes_in() {
        let mut app = app();
        app.mesh.mode = MeshMode::Ambient;
        let expected = json!([{
            "from": [
                {"ipBlock": {"cidr": "169.254.7.127/32"}},
                {"ipBlock": {"cidr": "fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128"}},
            ],
            "ports": [{"protocol": "TCP", "port": 8080}],
        }]);
        assert_eq!(as_json(&app), expected);
    }
}

//! AuthorizationPolicy: which identities may send which requests.

use idp_core::Child;
use serde_json::{Value, json};

use super::traffic::{self, Scrape};
use crate::{
    kinds,
    validate::{ValidInbound, Validated},
};

/// One policy that allows the declared callers. The NetworkPolicy checks the same by address; this one checks
/// certificates, and can distinguish methods and paths.
///
/// A policy with the action `ALLOW` and no rules denies everything, as intended for an application without callers.
/// An empty rule, on the other hand, would match everything: none is ever created.
pub(super) fn children(app: &Validated) -> Vec<Child> {
    if !app.in_mesh() {
        return Vec::new();
    }
    let mut spec = json!({"selector": traffic::every_pod(app), "action": "ALLOW"});
    let rules = rules(app);
    if !rules.is_empty() {
        spec["rules"] = Value::Array(rules);
    }
    vec![Child::with_spec(
        kinds::AUTHORIZATION_POLICY,
        &app.child_meta(&app.name),
        spec,
    )]
}

fn rules(app: &Validated) -> Vec<Value> {
    let mut rules: Vec<Value> = Vec::new();
    let all = gateway(app)
        .into_iter()
        .chain(app.inbound.iter().map(|from| inbound(app, from)))
        .chain(metrics(app));
    for rule in all {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    rules
}

/// The gateway may reach the routed ports, with any path: the VirtualService decides which paths are routed, and a
/// rewrite may have changed them before a request arrives here.
fn gateway(app: &Validated) -> Option<Value> {
    let ports = texts(traffic::routed_ports(app));
    if ports.is_empty() {
        return None;
    }
    let source =
        json!({"principals": [principal(app, &app.gateway.namespace, &app.gateway.service_account)]});
    Some(json!({"from": [{"source": source}], "to": [{"operation": {"ports": ports}}]}))
}

/// An allowed caller.
///
/// Only a proxy that parses HTTP can check methods and paths. ztunnel cannot, and never matches a rule that has them:
/// it denies the caller then, which is safe.
fn inbound(app: &Validated, from: &ValidInbound) -> Value {
    let source = match (&from.application, &from.namespace) {
        (Some(caller), Some(namespace)) => json!({"principals": [principal(app, namespace, caller)]}),
        // Istio supports `*` only at the beginning or the end of a principal.
        (Some(caller), None) => json!({"principals": [format!("*/sa/{caller}")]}),
        (None, Some(namespace)) => json!({"namespaces": [namespace]}),
        // Any caller with a certificate of the mesh. (Without a principal, anonymous callers would match too.)
        (None, None) => json!({"principals": ["*"]}),
    };
    let mut operation = json!({"ports": texts(traffic::port_numbers(&from.ports))});
    if !from.methods.is_empty() {
        operation["methods"] = sorted(&from.methods);
    }
    if !from.paths.is_empty() {
        operation["paths"] = sorted(&from.paths);
    }
    json!({"from": [{"source": source}], "to": [{"operation": operation}]})
}

/// Prometheus may scrape the metrics (see [`traffic::scrape`]).
fn metrics(app: &Validated) -> Option<Value> {
    let (metrics, port) = app.metrics.as_ref()?;
    let ports = [port.port.to_string()];
    Some(match traffic::scrape(app)? {
        Scrape::Anonymous { only_path: true } => {
            json!({"to": [{"operation": {"ports": ports, "methods": ["GET"], "paths": [metrics.path]}}]})
        }
        Scrape::Anonymous { only_path: false } => json!({"to": [{"operation": {"ports": ports}}]}),
        Scrape::Authenticated => json!({
            "from": [{"source": {"namespaces": [app.monitoring.namespace]}}],
            "to": [{"operation": {"ports": ports}}],
        }),
    })
}

fn principal(app: &Validated, namespace: &str, account: &str) -> String {
    format!("{}/ns/{namespace}/sa/{account}", app.mesh.trust_domain)
}

/// Port numbers as text, as policies require.
fn texts(ports: impl IntoIterator<Item = i32>) -> Vec<String> {
    ports.into_iter().map(|port| port.to_string()).collect()
}

fn sorted(texts: &[String]) -> Value {
    let texts: std::collections::BTreeSet<&String> = texts.iter().collect();
    json!(texts)
}

#[cfg(test)]
mod tests {
    use idp_api::environment::MeshMode;

    use super::*;
    use crate::plan::fixture::{app, caller, metrics as metrics_of, only_spec, port, route};

    #[test]
    fn without_callers_everything_is_denied() {
        let children = children(&app());
        let spec = only_spec(&children);
        assert_eq!(spec["action"], "ALLOW");
        assert!(spec.get("rules").is_none());
    }

    #[test]
    fn the_gateway_may_reach_routed_ports() {
        let mut app = app();
        app.ports.push(port("admin", 9000));
        app.routes = vec![route("a.example.com", "/"), route("b.example.com", "/")];
        assert_eq!(
            only_spec(&children(&app))["rules"],
            json!([{
                "from": [{"source": {"principals": [
                    "cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account"]}}],
                "to": [{"operation": {"ports": ["8080"]}}],
            }])
        );
    }

    #[test]
    fn callers_are_distinguished_by_identity() {
        let mut app = app();
        app.inbound = vec![
            caller(Some("web"), Some("team-b")),
            caller(Some("web"), None),
            caller(None, Some("team-b")),
            caller(None, None),
            caller(None, None),
        ];
        let rules = rules(&app);
        let sources: Vec<&Value> = rules.iter().map(|rule| &rule["from"][0]["source"]).collect();
        assert_eq!(
            sources,
            [
                &json!({"principals": ["cluster.local/ns/team-b/sa/web"]}),
                &json!({"principals": ["*/sa/web"]}),
                &json!({"namespaces": ["team-b"]}),
                &json!({"principals": ["*"]}),
            ]
        );
    }

    #[test]
    fn methods_and_paths_are_kept() {
        let mut app = app();
        app.inbound = vec![caller(Some("web"), Some("team-b"))];
        app.inbound[0].methods = vec!["POST".into(), "GET".into()];
        app.inbound[0].paths = vec!["/api/*".into()];
        assert_eq!(
            rules(&app)[0]["to"],
            json!([{"operation": {"ports": ["8080"], "methods": ["GET", "POST"], "paths": ["/api/*"]}}])
        );
    }

    #[test]
    fn anonymous_scrapes_reach_only_the_metrics() {
        let mut app = app();
        app.metrics = Some(metrics_of(port("http", 8080)));
        app.routes = vec![route("a.example.com", "/")];
        let scrape = json!({"operation": {"ports": ["8080"], "methods": ["GET"], "paths": ["/metrics"]}});
        assert_eq!(rules(&app)[1], json!({"to": [scrape]}));
        app.mesh.mode = MeshMode::Ambient;
        assert_eq!(
            rules(&app)[1]["from"],
            json!([{"source": {"namespaces": ["monitoring"]}}])
        );
    }
}

//! Gateway: the application's own hosts at the ingress gateway.

use std::collections::BTreeMap;

use idp_core::Child;
use serde_json::{Value, json};

use super::traffic;
use crate::{kinds, validate::Validated};

/// One Gateway for the hosts of all routes that name no other Gateway.
///
/// Hosts are restricted to the application's namespace (`./host`), so that VirtualServices of other namespaces cannot
/// attach to them.
pub(super) fn children(app: &Validated) -> Vec<Child> {
    let hosts = hosts(app);
    if hosts.is_empty() {
        return Vec::new();
    }
    let spec = json!({"selector": app.gateway.selector, "servers": servers(&hosts)});
    vec![Child::with_spec(kinds::GATEWAY, &app.child_meta(&app.name), spec)]
}

/// The Gateway's hosts, each with the Secret of its certificate. A host is encrypted if any of its routes is: the TLS
/// handshake comes before the path is known, so encrypted and unencrypted routes cannot share a host.
fn hosts(app: &Validated) -> BTreeMap<&str, Option<&str>> {
    let mut hosts: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for route in app.routes.iter().filter(|route| route.gateway.is_none()) {
        let secret = hosts.entry(&route.host).or_default();
        *secret = secret.or(route.tls_secret.as_deref());
    }
    hosts
}

/// One server for each encrypted host's certificate, one that redirects their unencrypted requests, and one for the
/// other hosts. A server's name is unique within its Gateway and does not depend on the other servers: renaming a
/// server would drop its connections.
fn servers(hosts: &BTreeMap<&str, Option<&str>>) -> Vec<Value> {
    let local = |host: &str| format!("./{host}");
    let mut servers = Vec::new();
    let (mut redirected, mut open) = (Vec::new(), Vec::new());
    for (host, secret) in hosts {
        let Some(secret) = secret else {
            open.push(local(host));
            continue;
        };
        redirected.push(local(host));
        servers.push(json!({
            "port": {"number": 443, "name": format!("https-{}", traffic::short_hash(host)), "protocol": "HTTPS"},
            "hosts": [local(host)],
            "tls": {"mode": "SIMPLE", "credentialName": secret, "minProtocolVersion": "TLSV1_2"},
        }));
    }
    if !redirected.is_empty() {
        servers.push(json!({
            "port": {"number": 80, "name": "http-redirect", "protocol": "HTTP"},
            "hosts": redirected,
            "tls": {"httpsRedirect": true},
        }));
    }
    if !open.is_empty() {
        servers.push(json!({"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": open}));
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::fixture::{app, only_spec, route},
        validate::ValidRoute,
    };

    fn encrypted(host: &str, path: &str) -> ValidRoute {
        ValidRoute {
            tls_secret: Some(format!("{host}-tls")),
            ..route(host, path)
        }
    }

    #[test]
    fn encrypted_and_open_hosts() {
        let mut app = app();
        app.routes = vec![
            encrypted("b.example.com", "/"),
            route("open.example.com", "/"),
            encrypted("a.example.com", "/"),
            encrypted("a.example.com", "/api"),
        ];
        let children = children(&app);
        let spec = only_spec(&children);
        assert_eq!(spec["selector"], json!({"istio": "ingressgateway"}));
        let servers = spec["servers"].as_array().unwrap();
        let hosts: Vec<&Value> = servers.iter().map(|server| &server["hosts"]).collect();
        assert_eq!(
            hosts,
            [
                &json!(["./a.example.com"]),
                &json!(["./b.example.com"]),
                &json!(["./a.example.com", "./b.example.com"]),
                &json!(["./open.example.com"]),
            ]
        );
        assert_eq!(
            servers[0]["tls"],
            json!({"mode": "SIMPLE", "credentialName": "a.example.com-tls", "minProtocolVersion": "TLSV1_2"})
        );
        assert_eq!(servers[2]["tls"], json!({"httpsRedirect": true}));
        assert!(servers[3].get("tls").is_none());
        let names: std::collections::BTreeSet<&str> = servers
            .iter()
            .map(|server| server["port"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(names.len(), servers.len());
    }

    #[test]
    fn one_encrypted_route_encrypts_its_host() {
        let mut app = app();
        app.routes = vec![route("a.example.com", "/"), encrypted("a.example.com", "/api")];
        assert_eq!(hosts(&app), [("a.example.com", Some("a.example.com-tls"))].into());
    }

    #[test]
    fn hosts_of_other_gateways_are_excluded() {
        let mut app = app();
        app.routes = vec![route("a.example.com", "/")];
        app.routes[0].gateway = Some("istio-system/shared".into());
        assert!(children(&app).is_empty());
    }
}

//! Routes and access.

use serde_json::{Value, json};

use super::{check_errors, check_warnings, extend, valid};

#[test]
fn routes() {
    let none = json!({});
    let one = |fields: Value| {
        let mut route = json!({"host": "shop"});
        extend(&mut route, &fields);
        json!({"routes": [route]})
    };
    let two = |first: Value, second: Value| {
        let [mut one, mut other] = [
            json!({"host": "shop", "path": "/"}),
            json!({"host": "shop", "path": "/b"}),
        ];
        extend(&mut one, &first);
        extend(&mut other, &second);
        json!({"routes": [one, other]})
    };
    let tcp = json!([{"name": "http", "port": 8080}, {"name": "raw", "port": 9000, "protocol": "Tcp"}]);
    let mut to_tcp = one(json!({"port": "raw"}));
    extend(&mut to_tcp, &json!({"ports": tcp}));
    let gateways = json!({"gateway": {"mode": "Shared", "shared": "infra/main", "allowed": ["infra/other"]}});
    let secret = json!({"tls": {"mode": "Secret", "secretName": "shop"}});
    check_errors(vec![
        (
            one(json!({})),
            json!({"gateway": {"mode": "None"}}),
            "NoGateway",
            "spec.routes",
        ),
        (
            one(json!({"host": "taken"})),
            none.clone(),
            "HostTaken",
            "spec.routes[0].host",
        ),
        (
            one(json!({"host": "apps.example.com"})),
            none.clone(),
            "HostReserved",
            "spec.routes[0].host",
        ),
        (
            one(json!({"port": "admin"})),
            none.clone(),
            "UnknownPort",
            "spec.routes[0].port",
        ),
        (to_tcp, none.clone(), "PortNotHttp", "spec.routes[0].port"),
        (
            one(json!({"gateway": "infra/main"})),
            none.clone(),
            "GatewayNotAllowed",
            "spec.routes[0].gateway",
        ),
        (
            one(json!({"gateway": "infra/third"})),
            gateways.clone(),
            "GatewayNotAllowed",
            "spec.routes[0].gateway",
        ),
        (
            one(json!({"tls": {"mode": "None"}})),
            none.clone(),
            "PlaintextNotAllowed",
            "spec.routes[0].tls.mode",
        ),
        (
            one(json!({"tls": {"mode": "Secret"}})),
            none.clone(),
            "InvalidSpec",
            "spec.routes[0].tls",
        ),
        (
            one(json!({"host": "*.example.org"})),
            none.clone(),
            "InvalidSpec",
            "spec.routes[0].tls",
        ),
        (
            two(json!({}), secret.clone()),
            none.clone(),
            "ConflictingTls",
            "spec.routes[1].tls",
        ),
        (
            two(json!({}), json!({"gateway": "infra/other"})),
            gateways.clone(),
            "ConflictingGateway",
            "spec.routes[1].gateway",
        ),
        (
            two(json!({}), json!({"host": "shop.apps.example.com", "path": "/"})),
            none.clone(),
            "Duplicate",
            "spec.routes[1]",
        ),
        (
            one(json!({"redirect": {"path": "/a"}, "timeout": "1s"})),
            none.clone(),
            "InvalidSpec",
            "spec.routes[0]",
        ),
        (
            one(json!({"redirect": {}})),
            none.clone(),
            "InvalidSpec",
            "spec.routes[0].redirect",
        ),
        (
            one(json!({"redirect": {"path": "/a", "code": 200}})),
            none.clone(),
            "InvalidSpec",
            "spec.routes[0].redirect.code",
        ),
        (
            one(json!({"cors": {"allowOrigins": ["*"], "allowCredentials": true}})),
            none.clone(),
            "InvalidSpec",
            "spec.routes[0].cors",
        ),
    ]);
    check_warnings(vec![
        (
            two(json!({}), json!({})),
            json!({"certificates": null}),
            "NoIssuer",
            "spec.routes[0].tls",
        ),
        (
            one(secret.clone()),
            gateways.clone(),
            "TlsByGateway",
            "spec.routes[0].tls",
        ),
    ]);
    let app = valid(
        &two(
            json!({}),
            json!({"host": "shop.example.org", "tls": secret["tls"]}),
        ),
        &none,
    );
    assert_eq!(app.routes[0].host, "shop.apps.example.com");
    assert_eq!(app.routes[1].host, "shop.example.org");
    let auto = app.routes[0].tls_secret.as_deref().unwrap();
    assert!(auto.starts_with("shop-") && auto.ends_with("-tls") && auto.len() == "shop-12345678-tls".len());
    assert_eq!(app.routes[1].tls_secret.as_deref(), Some("shop"));
    assert_eq!(app.routes[0].gateway, None);
    assert_eq!(
        valid(&one(json!({})), &gateways).routes[0].gateway.as_deref(),
        Some("infra/main")
    );
}

#[test]
fn callers_and_outbound_connections() {
    let none = json!({});
    let inbound = |caller: Value| json!({"access": {"inbound": [caller]}});
    let outbound = |target: Value| json!({"access": {"outbound": [target]}});
    let mut tcp = inbound(json!({"application": "web", "paths": ["/api"]}));
    extend(
        &mut tcp,
        &json!({"ports": [{"name": "raw", "port": 9000, "protocol": "Tcp"}]}),
    );
    check_errors(vec![
        (
            inbound(json!({"ports": ["http"]})),
            none.clone(),
            "InvalidSpec",
            "spec.access.inbound[0]",
        ),
        (
            inbound(json!({"application": "web", "ports": ["x"]})),
            none.clone(),
            "UnknownPort",
            "spec.access.inbound[0].ports[0]",
        ),
        (
            inbound(json!({"application": "web", "methods": ["GET"]})),
            json!({"mesh": {"mode": "None"}}),
            "NeedsMesh",
            "spec.access.inbound[0].methods",
        ),
        (
            inbound(json!({"application": "web", "paths": ["/a"]})),
            json!({"mesh": {"mode": "Ambient"}}),
            "NeedsMesh",
            "spec.access.inbound[0].paths",
        ),
        (tcp, none.clone(), "PortNotHttp", "spec.access.inbound[0].ports"),
        (
            outbound(json!({})),
            none.clone(),
            "InvalidSpec",
            "spec.access.outbound[0]",
        ),
        (
            outbound(json!({"cidr": {"range": "10.1"}})),
            none.clone(),
            "InvalidCidr",
            "spec.access.outbound[0].cidr.range",
        ),
        (
            outbound(json!({"cidr": {"range": "10.1.2.3/16"}})),
            none.clone(),
            "InvalidCidr",
            "spec.access.outbound[0].cidr.range",
        ),
    ]);
    let everybody = valid(&inbound(json!({"namespace": "*"})), &none).inbound;
    assert_eq!(
        (everybody[0].namespace.as_deref(), everybody[0].ports.len()),
        (None, 1)
    );
    let neighbour = valid(&inbound(json!({"application": "web"})), &none).inbound;
    assert_eq!(neighbour[0].namespace.as_deref(), Some("team-a"));
}

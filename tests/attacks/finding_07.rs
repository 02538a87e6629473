//! A namespace may use only hosts that the Environment allows, and cannot block others from theirs.

use idp_core::Kind;
use kube::{
    ResourceExt,
    api::{DeleteParams, DynamicObject, PostParams},
};
use serde_json::{Value, json};

use crate::Tenant;

const VIRTUAL_SERVICE: Kind =
    Kind::namespaced("networking.istio.io", "v1", "VirtualService", "virtualservices");

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_does_not_work_blocks_no_host() {
    let (squatter, victim) = (Tenant::new("squat").await, Tenant::new("honest").await);
    let payments = format!("payments-{}", victim.namespace());
    let crm = format!("crm.{}.example.com", victim.namespace());
    let routes = json!([
        {"host": payments},
        {"host": crm, "tls": {"mode": "None"}},
    ]);
    let squat = json!({"resources": {"size": "nope"}, "routes": routes});
    squatter.create("squat", squat).await.unwrap();
    squatter.lab.problem("squat", "UnknownSize").await;
    victim
        .create("payments", json!({"routes": routes}))
        .await
        .unwrap();
    victim.lab.ready("payments").await;
    // Once it works, it is too late.
    squatter.lab.change("squat", json!({"resources": null})).await;
    let problem = squatter.lab.problem("squat", "HostTaken").await;
    assert!(problem.message.contains(victim.namespace()), "{problem}");
    squatter.end().await;
    victim.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tls_mode_or_gateway_gives_a_namespace_the_host_of_another() {
    let tenant = Tenant::new("greedy").await;
    let hosts = [
        "example.com",
        "www.bank.org",
        "kubernetes.default.svc.cluster.local",
        "kubernetes.default.svc",
        "10.0.0.1",
        "*.corp.example.com",
        "*.sub",
        "xn--shp-0na.example.org",
    ];
    let mut routes: Vec<Value> = Vec::new();
    for host in hosts {
        routes.push(json!({"host": host, "tls": {"mode": "None"}}));
        let own = format!("{}.tls", tenant.namespace());
        routes.push(json!({"host": host, "tls": {"mode": "Secret", "secretName": own}}));
        routes.push(json!({"host": host, "gateway": "istio-ingress/internal", "tls": {"mode": "None"}}));
    }
    // The gateway's namespace has the certificates of all tenants.
    for secret in [
        "victim-idp-localhost-74cc97c318d9ed0b-tls",
        "wildcard",
        "greedy",
        "other.tls",
    ] {
        let short = format!("own-{}", tenant.namespace());
        routes.push(json!({"host": short, "tls": {"mode": "Secret", "secretName": secret}}));
    }
    for (index, route) in routes.iter().enumerate() {
        let name = format!("app-{index}");
        // Usually the admission policy rejects it; otherwise the controller does.
        let answer = tenant.create(&name, json!({"routes": [route]})).await;
        if let Err(error) = &answer {
            let error = error.to_string();
            assert!(
                error.contains("may not have host") || error.contains("may not use Secret"),
                "{route}: {error}"
            );
            continue;
        }
        let reason =
            if route["tls"]["mode"] == "Secret" && route["host"].as_str().unwrap().starts_with("own-") {
                "SecretNotAllowed"
            } else if route["gateway"].is_string() {
                "GatewayNotAllowed"
            } else {
                "HostNotAllowed"
            };
        tenant.lab.problem(&name, reason).await;
    }
    let made = tenant
        .lab
        .objects(VIRTUAL_SERVICE)
        .list(&Default::default())
        .await
        .unwrap();
    assert!(made.items.is_empty(), "{:?}", made.items.first());
    // It may use its own.
    let own = format!("{}.tls", tenant.namespace());
    let short = format!("own-{}", tenant.namespace());
    let spec = json!({"routes": [{"host": short, "tls": {"mode": "Secret", "secretName": own}}]});
    tenant.create("own", spec).await.unwrap();
    tenant.lab.ready("own").await;
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_a_virtual_service_serves_is_taken() {
    let tenant = Tenant::new("graf").await;
    let short = format!("grafana-{}", tenant.namespace());
    let services = tenant.lab.within("istio-system").objects(VIRTUAL_SERVICE);
    let routed: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": short},
        "spec": {
            "gateways": ["istio-system/own"], "hosts": [format!("{short}.idp.localhost")],
            "http": [{"route": [{"destination": {"host": "grafana"}}]}],
        },
    }))
    .unwrap();
    services.create(&PostParams::default(), &routed).await.unwrap();
    // A VirtualService of the mesh only owns no host at a gateway.
    let inside = format!("inside-{}", tenant.namespace());
    let mut meshed = routed.clone();
    meshed.metadata.name = Some(inside.clone());
    meshed.data["spec"]["gateways"] = json!(["mesh"]);
    meshed.data["spec"]["hosts"] = json!([format!("{inside}.idp.localhost")]);
    services.create(&PostParams::default(), &meshed).await.unwrap();
    tenant
        .create("grafana", json!({"routes": [{"host": short}]}))
        .await
        .unwrap();
    let problem = tenant.lab.problem("grafana", "HostTaken").await;
    assert!(
        problem
            .message
            .contains(&format!("VirtualService istio-system/{short}")),
        "{problem}"
    );
    tenant
        .create("inside", json!({"routes": [{"host": inside}]}))
        .await
        .unwrap();
    tenant.lab.ready("inside").await;
    services
        .delete(&routed.name_any(), &DeleteParams::default())
        .await
        .unwrap();
    tenant.lab.ready("grafana").await;
    services.delete(&inside, &DeleteParams::default()).await.unwrap();
    tenant.end().await;
}

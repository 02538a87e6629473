//! Identities of controllers over gRPC, and their Services.

use idp_testkit::{
    chart::{CHARTS, Chart},
    root,
};
use idp_webapp::capabilities::CAPABILITY;
use serde_json::{Value, json};

use crate::{CAPABILITIES, only};

#[tokio::test]
async fn certificates_name_the_controller_and_are_valid_for_a_day() {
    for (name, namespace) in CHARTS
        .iter()
        .flat_map(|name| [(*name, "idp-system"), (*name, "elsewhere")])
    {
        let certificate = only(&Chart::of(name).within(namespace), "Certificate").await;
        let wanted = json!({
            "dnsNames": [name, format!("{name}.{namespace}.svc")],
            "uris": [format!("spiffe://idp.dev/ns/{namespace}/sa/{name}")],
            "secretName": format!("{name}-tls"),
            "duration": "24h",
            "renewBefore": "8h",
            "usages": ["digital signature", "server auth", "client auth"],
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "issuerRef": {"name": "idp-grpc", "kind": "Issuer", "group": "cert-manager.io"},
        });
        assert_eq!(certificate["spec"], wanted);
    }
}

#[tokio::test]
async fn the_policy_of_our_own_certificates_allows_what_charts_request() {
    let text = std::fs::read_to_string(root().join("secrets/cert-manager/grpc/policies.yaml")).unwrap();
    let policies: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let names = &policies[0]["spec"]["names"];
    for name in CHARTS {
        let spec = &only(&Chart::of(name), "Certificate").await["spec"];
        for (asked, allowed) in [
            (&spec["dnsNames"], &names["dns"]["exact"]),
            (&spec["uris"], &names["uris"]),
        ] {
            let allowed = allowed.as_array().unwrap();
            let missing = |asked: &&Value| !allowed.contains(asked);
            let missing: Vec<_> = asked.as_array().unwrap().iter().filter(missing).collect();
            assert!(missing.is_empty(), "{name}: {missing:?}");
        }
    }
}

#[tokio::test]
async fn the_certificate_may_be_created_elsewhere() {
    let chart = Chart::of("idp-webapp").with("certificate.enabled=false");
    assert!(chart.of_kind("Certificate").await.unwrap().is_empty());
}

#[tokio::test]
async fn capabilities_are_found_by_a_label_at_the_first_port() {
    for (name, capability) in CAPABILITIES {
        let chart = Chart::of(name);
        let service = only(&chart, "Service").await;
        assert_eq!(
            service["metadata"]["name"], name,
            "its certificate is for this name"
        );
        assert_eq!(service["metadata"]["labels"][CAPABILITY], capability);
        assert_eq!(service["spec"]["ports"][0]["targetPort"], "grpc");
        let deployment = only(&chart, "Deployment").await;
        let pod = &deployment["spec"]["template"];
        let labels = pod["metadata"]["labels"].as_object().unwrap();
        for (key, value) in service["spec"]["selector"].as_object().unwrap() {
            assert_eq!(labels.get(key), Some(value), "{name}: {key}");
        }
        let ports = pod["spec"]["containers"][0]["ports"].as_array().unwrap();
        assert!(
            ports.contains(&json!({"name": "grpc", "containerPort": 9443})),
            "{name}: {ports:?}"
        );
    }
    let services = Chart::of("idp-webapp").of_kind("Service").await.unwrap();
    assert!(services.is_empty(), "it serves no capability: {services:?}");
}

#[tokio::test]
async fn the_metrics_service_is_not_a_capability() {
    for name in CHARTS {
        let chart = Chart::of(name).with("serviceMonitor.enabled=true");
        let services = chart.of_kind("Service").await.unwrap();
        let metrics = services
            .iter()
            .find(|service| service["spec"]["clusterIP"] == "None")
            .unwrap();
        assert!(metrics["metadata"]["labels"][CAPABILITY].is_null(), "{name}");
        let monitor = only(&chart, "ServiceMonitor").await;
        let labels = metrics["metadata"]["labels"].as_object().unwrap();
        for (key, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
            assert_eq!(labels.get(key), Some(value), "{name}: {key}");
        }
        assert_eq!(
            monitor["spec"]["endpoints"][0]["port"],
            metrics["spec"]["ports"][0]["name"]
        );
    }
}

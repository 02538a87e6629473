//! cert-manager, whose requests wait for an approval.

use idp_testkit::{TestCluster, eventually};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Value, json};

use crate::objects::{READY, api, is, set_condition};

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_issued_once_its_request_is_approved() {
    let cluster = TestCluster::peers().await.unwrap();
    let namespace = cluster.namespace("peers-tls").await.unwrap();
    for (name, spec) in [
        ("self", json!({ "selfSigned": {} })),
        ("ca", json!({ "ca": { "secretName": "ca" } })),
    ] {
        cluster
            .apply(cert_manager("Issuer", name, &namespace, &spec))
            .await
            .unwrap();
    }
    let authority = json!({
        "isCA": true, "commonName": "peers", "secretName": "ca", "issuerRef": { "name": "self" },
    });
    let leaf = json!({
        "dnsNames": ["shop.example"], "secretName": "shop", "issuerRef": { "name": "ca" },
    });
    for (name, spec) in [("ca", authority), ("shop", leaf)] {
        cluster
            .apply(cert_manager("Certificate", name, &namespace, &spec))
            .await
            .unwrap();
        approve(&cluster, &namespace, name).await;
        let certificates = api(&cluster, "cert-manager.io/v1", "Certificate", Some(&namespace));
        eventually("the certificate is issued", || is(&certificates, name, READY)).await;
    }
    let secrets = Api::<Secret>::namespaced(cluster.client.clone(), &namespace);
    let data = secrets.get("shop").await.unwrap().data.unwrap();
    assert!(
        ["tls.crt", "tls.key", "ca.crt"]
            .iter()
            .all(|key| !data[*key].0.is_empty())
    );
    cluster.delete_namespace(&namespace).await.unwrap();
}

fn cert_manager(kind: &str, name: &str, namespace: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": kind,
        "metadata": { "name": name, "namespace": namespace },
        "spec": spec,
    })
}

/// Does by hand what the platform's certificate policy does: nobody else approves here.
async fn approve(cluster: &TestCluster, namespace: &str, certificate: &str) {
    let requests = api(
        cluster,
        "cert-manager.io/v1",
        "CertificateRequest",
        Some(namespace),
    );
    let name = format!("{certificate}-1");
    eventually("the certificate is requested", || requests.get(&name)).await;
    set_condition(&requests, &name, "Approved", &json!({})).await;
}

//! Services announce capabilities.

use idp_testkit::NAMESPACE;
use idp_tests::Lab;
use k8s_openapi::api::core::v1::Service;
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::json;

use crate::lab;

const NAME: &str = "found";

fn services(lab: &Lab, namespace: &str) -> Api<Service> {
    Api::namespaced(lab.client.clone(), namespace)
}

/// A Service like that of a capability's chart, without a server.
async fn announce(lab: &Lab, namespace: &str) {
    let service = json!({
        "metadata": { "name": NAME, "labels": { "idp.dev/capability": NAME } },
        "spec": { "ports": [{ "name": "grpc", "port": 9443 }] },
    });
    let service = serde_json::from_value(service).unwrap();
    let created = services(lab, namespace)
        .create(&PostParams::default(), &service)
        .await;
    created.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_labelled_service_of_the_platform_is_a_capability_while_it_exists() {
    let _others_wait = crate::WHO_IS_THERE.write().await;
    let lab = lab(NAME).await;
    // An earlier run may have been interrupted.
    let _ = services(&lab, NAMESPACE)
        .delete(NAME, &DeleteParams::default())
        .await;
    // Anyone may label a Service in their own namespace, and would receive the secrets of all tenants.
    announce(&lab, &lab.ns).await;
    lab.create("shop", json!({ "capabilities": { NAME: {} } })).await;
    let missing = lab.problem("shop", "CapabilityMissing").await;
    assert_eq!(
        missing.path.as_deref(),
        Some("spec.capabilities.found"),
        "{missing}"
    );

    // The application does not change from here on.
    announce(&lab, NAMESPACE).await;
    let silent = lab.problem("shop", "CapabilityUnreachable").await;
    assert_eq!(
        silent.path.as_deref(),
        Some("spec.capabilities.found"),
        "{silent}"
    );
    services(&lab, NAMESPACE)
        .delete(NAME, &DeleteParams::default())
        .await
        .unwrap();
    lab.problem("shop", "CapabilityMissing").await;
    lab.end().await;
}

//! External Secrets and LocalStack.

use idp_testkit::{TestCluster, eventually};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::json;

use crate::objects::has;

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_secret_becomes_a_secret_and_follows() {
    let cluster = TestCluster::peers().await.unwrap();
    let namespace = cluster.namespace("peers-secret").await.unwrap();
    let remote = cluster.secrets_manager().unwrap();
    let seeded = remote.list().await.unwrap();
    assert!(
        seeded
            .iter()
            .any(|name| name.starts_with("sample/sample-web-app/")),
        "{seeded:?}"
    );
    let name = format!("{namespace}/database");
    remote
        .put(&name, &json!({ "user": "app", "password": "one" }))
        .await
        .unwrap();
    let store = cluster.secret_store().await.unwrap();
    let external_secret = json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": { "name": "database", "namespace": namespace },
        "spec": {
            "refreshInterval": "1s",
            "secretStoreRef": { "kind": "ClusterSecretStore", "name": store },
            "dataFrom": [{ "extract": { "key": name } }],
        },
    });
    // The API server still enforces the deleted admission policies of another test program for a moment.
    eventually("the ExternalSecret is accepted", || {
        cluster.apply(external_secret.clone())
    })
    .await;
    let secrets = Api::<Secret>::namespaced(cluster.client.clone(), &namespace);
    eventually("the Secret is made", || has(&secrets, "password", "one")).await;
    remote
        .put(&name, &json!({ "user": "app", "password": "two" }))
        .await
        .unwrap();
    eventually("the Secret follows", || has(&secrets, "password", "two")).await;
    remote.delete(&name).await.unwrap();
    assert_eq!(remote.get(&name).await.unwrap(), None);
    cluster.delete_namespace(&namespace).await.unwrap();
}

//! The bridge's permissions are minimal: all its requests are allowed, and it uses every permission.

use idp_testkit::{NAMESPACE, eventually, rights};
use idp_tests::{BRIDGE, Lab};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, api::DeleteParams};
use serde_json::{Value, json};

use crate::alone;

#[test]
fn no_wildcard_and_no_secrets() {
    rights::assert_modest(BRIDGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_permission_is_used_and_every_request_allowed() {
    let alone = alone().await;
    let lab = alone.lab("rights").await;
    // Without a Lease the first one is created.
    let leases = Api::<Lease>::namespaced(lab.client.clone(), NAMESPACE);
    let _ = leases.delete(BRIDGE, &DeleteParams::default()).await;
    let audit = alone.audit();
    let pair = alone.pair(&[]).await;
    live(&lab).await;
    pair.stop().await;
    rights::assert_least(BRIDGE, &audit.requests().unwrap());
    lab.end_and_wait().await;
}

/// All kinds of changes of secrets, in a few steps.
async fn live(lab: &Lab) {
    let secret = |refresh: &str| json!({ "name": "db", "refreshInterval": refresh });
    let generated = |length: i32| json!({ "name": "session", "generate": { "length": length } });
    let change = async |secrets: Value| lab.change("shop", json!({ "secrets": secrets })).await;
    lab.create("shop", json!({ "secrets": [secret("2s"), generated(20)] }))
        .await;
    lab.problem("shop", "RemoteKeyMissing").await;
    lab.put("shop", "db", &json!({ "password": "p" })).await;
    lab.ready("shop").await;
    // Every object is written again.
    change(json!([secret("3s"), generated(24)])).await;
    lab.ready("shop").await;
    // The same failure again: its event is counted up.
    let remote = lab.test.secrets_manager().unwrap();
    remote.delete(&lab.key("shop", "db")).await.unwrap();
    lab.problem("shop", "RemoteKeyMissing").await;
    lab.put("shop", "db", &json!({ "password": "p" })).await;
    eventually("the failures are over", || async {
        let problems = lab.get("shop").await.status.unwrap_or_default().problems;
        problems.is_empty().then_some(()).ok_or(format!("{problems:?}"))
    })
    .await;
    // Removed secrets are deleted.
    lab.put("shop", "other", &json!({ "password": "p" })).await;
    change(json!([{ "name": "other" }])).await;
    eventually("only the other secret remains", || async {
        let left = lab.external_secrets().await;
        (left == ["shop.other"]).then_some(()).ok_or(format!("{left:?}"))
    })
    .await;
    lab.ready("shop").await;
}

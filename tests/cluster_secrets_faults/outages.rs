//! Outages of LocalStack and External Secrets.

use std::time::Duration;

use idp_cluster::{start_component, stop_component};
use idp_testkit::{eventually, eventually_within, stays};
use serde_json::json;

use crate::{alone, with_secret};

/// External Secrets retries with growing intervals, up to minutes.
const RECOVERY: Duration = Duration::from_secs(300);
/// Several refreshes.
const A_WHILE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn pods_keep_running_while_the_store_is_down() {
    let alone = alone().await;
    let lab = alone.lab("store-down").await;
    let pair = alone.pair(&[]).await;
    for name in ["shop", "till"] {
        lab.put(name, "db", &json!({ "password": "old" })).await;
        lab.create(name, with_secret()).await;
    }
    lab.ready("shop").await;
    lab.ready("till").await;
    let before = (lab.generation("shop").await, lab.generation("till").await);

    stop_component(&lab.test.cluster, "localstack").await.unwrap();
    let problem = lab.problem("shop", "StoreDown").await;
    assert!(
        !problem.is_error(),
        "it must be a warning while pods run: {problem}"
    );
    assert!(problem.message.contains(&lab.key("shop", "db")), "{problem}");
    lab.ready("shop").await;
    lab.create("late", with_secret()).await;
    let problem = lab.problem("late", "StoreDown").await;
    assert!(problem.is_error(), "it must be an error without pods: {problem}");
    assert_eq!(problem.path.as_deref(), Some("spec.secrets[0]"));
    stays(A_WHILE, "nothing changes", || async {
        let now = (lab.generation("shop").await, lab.generation("till").await);
        let as_before = now == before && lab.deployment("late").await.is_none();
        as_before.then_some(()).ok_or(format!("{now:?}"))
    })
    .await;

    // It has lost all its data; one value has changed.
    start_component(&lab.test.cluster, "localstack").await.unwrap();
    for (name, value) in [("shop", "old"), ("till", "new"), ("late", "late")] {
        lab.put(name, "db", &json!({ "password": value })).await;
    }
    for name in ["shop", "till", "late"] {
        eventually_within(RECOVERY, &format!("{name} recovers"), || async {
            let app = lab.get(name).await;
            let fine = idp_tests::is_ready(&app)
                && app
                    .status
                    .as_ref()
                    .is_some_and(|status| status.problems.is_empty());
            fine.then_some(()).ok_or(idp_tests::why(&app))
        })
        .await;
    }
    eventually("the changed value causes a rollout", || async {
        let generation = lab.generation("till").await;
        (generation == before.1 + 1)
            .then_some(())
            .ok_or(generation.to_string())
    })
    .await;
    assert_eq!(lab.secret("till-secret-db").await.unwrap()["password"], "new");
    assert_eq!(
        lab.generation("shop").await,
        before.0,
        "the same value causes no rollout"
    );
    pair.stop().await;
    lab.end_and_wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_keep_running_while_external_secrets_is_down() {
    let alone = alone().await;
    let lab = alone.lab("eso-down").await;
    let pair = alone.pair(&[]).await;
    for name in ["shop", "late"] {
        lab.put(name, "db", &json!({ "password": "old" })).await;
    }
    lab.create("shop", with_secret()).await;
    lab.ready("shop").await;
    let before = lab.generation("shop").await;

    stop_component(&lab.test.cluster, "external-secrets")
        .await
        .unwrap();
    lab.put("shop", "db", &json!({ "password": "new" })).await;
    lab.create("late", with_secret()).await;
    eventually("the new application waits", || async {
        let app = lab.get("late").await;
        let waits = idp_tests::condition(&app, "SecretsReady").is_some_and(|(ready, _)| !ready);
        waits.then_some(()).ok_or(idp_tests::why(&app))
    })
    .await;
    stays(A_WHILE, "nothing changes", || async {
        let app = lab.get("shop").await;
        let as_before = idp_tests::is_ready(&app)
            && lab.generation("shop").await == before
            && lab.deployment("late").await.is_none();
        as_before.then_some(()).ok_or(idp_tests::why(&app))
    })
    .await;

    start_component(&lab.test.cluster, "external-secrets")
        .await
        .unwrap();
    lab.ready_within(RECOVERY, "late").await;
    eventually("the changed value causes a rollout", || async {
        let generation = lab.generation("shop").await;
        (generation == before + 1)
            .then_some(())
            .ok_or(generation.to_string())
    })
    .await;
    lab.ready("shop").await;
    pair.stop().await;
    lab.end_and_wait().await;
}

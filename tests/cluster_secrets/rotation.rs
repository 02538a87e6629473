//! A changed remote secret triggers one rollout.

use std::time::Duration;

use idp_testkit::{eventually, stays};
use serde_json::json;

use crate::lab;

/// Several refreshes, longer than changes are collected.
const A_WHILE: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn two_changes_at_once_cause_one_rollout() {
    let lab = lab("rotate").await;
    for key in ["one", "two"] {
        lab.put("shop", key, &json!({ key: "old" })).await;
    }
    let secret =
        |name: &str| json!({ "name": name, "keys": [{ "property": name }], "refreshInterval": "1s" });
    lab.create("shop", json!({ "secrets": [secret("one"), secret("two")] }))
        .await;
    lab.ready("shop").await;

    // Refreshes that change nothing.
    let first = lab.generation("shop").await;
    stays(A_WHILE, "no rollout starts", || async {
        let generation = lab.generation("shop").await;
        (generation == first)
            .then_some(())
            .ok_or(format!("generation {generation} after {first}"))
    })
    .await;
    assert_eq!(lab.replica_sets("shop").await, 1);

    // A person changes one, then the other.
    lab.put("shop", "one", &json!({ "one": "new" })).await;
    lab.put("shop", "two", &json!({ "two": "new" })).await;
    eventually("a rollout starts", || async {
        let generation = lab.generation("shop").await;
        (generation > first).then_some(()).ok_or("not yet")
    })
    .await;
    for key in ["one", "two"] {
        let held = lab.secret(&format!("shop-secret-{key}")).await.unwrap();
        assert_eq!(held[key], "new", "the rollout starts when all values exist");
    }
    stays(A_WHILE, "one rollout only", || async {
        let generation = lab.generation("shop").await;
        (generation == first + 1)
            .then_some(())
            .ok_or(format!("generation {generation} after {first}"))
    })
    .await;
    assert_eq!(lab.replica_sets("shop").await, 2);
    lab.ready("shop").await;

    // A second rotation is detected too: identical events are counted up, not sent again.
    lab.put("shop", "one", &json!({ "one": "newer" })).await;
    eventually("a second rollout starts", || async {
        let generation = lab.generation("shop").await;
        (generation == first + 2)
            .then_some(())
            .ok_or(format!("generation {generation} after {first}"))
    })
    .await;
    assert_eq!(lab.secret("shop-secret-one").await.unwrap()["one"], "newer");
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_unused_properties_cause_no_rollout() {
    let lab = lab("rotate-other").await;
    for app in ["shop", "till"] {
        lab.put(app, "db", &json!({ "password": "old" })).await;
        let secrets =
            json!([{ "name": "db", "refreshInterval": "2s", "keys": [{ "property": "password" }] }]);
        lab.create(app, json!({ "secrets": secrets })).await;
    }
    lab.ready("shop").await;
    lab.ready("till").await;
    let before = lab.generation("till").await;
    // A change of an unused property does not affect pods.
    lab.put("till", "db", &json!({ "password": "old", "note": "x" }))
        .await;
    lab.put("shop", "db", &json!({ "password": "new" })).await;
    eventually("a rollout starts", || async {
        let sets = lab.replica_sets("shop").await;
        (sets == 2).then_some(()).ok_or("not yet")
    })
    .await;
    assert_eq!(lab.generation("till").await, before);
    lab.end().await;
}

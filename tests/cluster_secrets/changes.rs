//! Secrets are added to a running application, and removed.

use std::{collections::BTreeSet, time::Duration};

use idp_testkit::{eventually, stays};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::lab;

fn secret(name: &str) -> Value {
    json!({ "name": name, "keys": [{ "property": name }], "refreshInterval": "2s" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_secret_is_deleted_and_nothing_else() {
    let lab = lab("remove").await;
    for key in ["one", "two"] {
        lab.put("shop", key, &json!({ key: "x" })).await;
    }
    let generated = json!({ "name": "session", "generate": {} });
    lab.create(
        "shop",
        json!({ "secrets": [secret("one"), secret("two"), generated] }),
    )
    .await;
    lab.ready("shop").await;
    let session = lab.secret("shop-secret-session").await;
    lab.change("shop", json!({ "secrets": [secret("two"), generated] }))
        .await;
    eventually("the ExternalSecret is deleted", || async {
        let left = lab.external_secrets().await;
        let expected = ["shop.session", "shop.two"];
        (left == expected).then_some(()).ok_or(format!("{left:?}"))
    })
    .await;
    eventually("its Secret is deleted too", || async {
        let secret = lab.secret("shop-secret-one").await;
        secret.is_none().then_some(()).ok_or("it is there")
    })
    .await;
    lab.ready("shop").await;
    let variables = lab.variables("shop").await;
    assert!(!variables.contains_key("ONE"), "{variables:?}");
    assert_eq!(variables["TWO"], "shop-secret-two/two");
    assert_eq!(lab.secret("shop-secret-two").await.unwrap()["two"], "x");
    assert_eq!(
        lab.secret("shop-secret-session").await,
        session,
        "a generated value does not change"
    );

    // With the last secret the binding is deleted, too.
    lab.change("shop", json!({ "secrets": null })).await;
    eventually("all are deleted", || async {
        let (secrets, binding) = (lab.external_secrets().await, lab.bindings().get_opt("shop").await);
        let gone = secrets.is_empty() && binding.unwrap().is_none();
        gone.then_some(()).ok_or(format!("{secrets:?}"))
    })
    .await;
    lab.ready("shop").await;
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_keep_running_while_a_new_secret_is_missing() {
    let lab = lab("held").await;
    lab.put("shop", "one", &json!({ "one": "x" })).await;
    lab.create("shop", json!({ "secrets": [secret("one")] })).await;
    lab.ready("shop").await;
    let pods = pods(&lab).await;
    let before = lab.generation("shop").await;
    lab.change(
        "shop",
        json!({ "secrets": [secret("one"), secret("two")], "image": "shop:2.0" }),
    )
    .await;
    let problem = lab.problem("shop", "RemoteKeyMissing").await;
    assert_eq!(
        problem.path.as_deref(),
        Some("spec.secrets[1].remoteKey"),
        "{problem}"
    );
    stays(
        Duration::from_secs(8),
        "the old version keeps running",
        || async {
            let now = (self::pods(&lab).await, lab.generation("shop").await);
            (now == (pods.clone(), before))
                .then_some(())
                .ok_or(format!("{now:?}"))
        },
    )
    .await;
    let app = lab.get("shop").await;
    let held = app.status.iter().flat_map(|status| &status.children);
    let held: Vec<_> = held.filter(|child| child.held.is_some()).collect();
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(held[0].kind, "Deployment");

    lab.put("shop", "two", &json!({ "two": "x" })).await;
    lab.ready("shop").await;
    assert_eq!(
        lab.generation("shop").await,
        before + 1,
        "both changes are in one rollout"
    );
    assert_eq!(lab.variables("shop").await["TWO"], "shop-secret-two/two");
    lab.end().await;
}

async fn pods(lab: &idp_tests::Lab) -> BTreeSet<Option<String>> {
    let pods = lab.labelled::<Pod>("shop").await.into_iter();
    pods.map(|pod| pod.metadata.uid).collect()
}

//! Missing secrets are reported, and used once they exist.

use std::time::Duration;

use idp_testkit::{eventually, stays};
use serde_json::json;

use crate::lab;

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_key_is_reported_and_used_once_it_exists() {
    let lab = lab("missing").await;
    let secrets = json!([
        { "name": "db", "remoteKey": "database/main", "refreshInterval": "2s", "keys": [{ "property": "password" }] },
    ]);
    lab.create("shop", json!({ "secrets": secrets })).await;
    let problem = lab.problem("shop", "RemoteKeyMissing").await;
    assert_eq!(problem.path.as_deref(), Some("spec.secrets[0].remoteKey"));
    let key = lab.key("shop", "database/main");
    assert!(problem.message.contains(&key), "{problem}");
    assert!(problem.hint.is_some() && problem.is_error(), "{problem}");
    let (ready, message) = idp_tests::condition(&lab.get("shop").await, "Ready").unwrap();
    assert!(!ready && message.contains(&key), "{message}");
    stays(Duration::from_secs(4), "pods wait", || async {
        lab.deployment("shop")
            .await
            .is_none()
            .then_some(())
            .ok_or("there is a Deployment")
    })
    .await;

    lab.put("shop", "database/main", &json!({ "user": "app" })).await;
    let problem = lab.problem("shop", "RemotePropertyMissing").await;
    assert_eq!(problem.path.as_deref(), Some("spec.secrets[0].keys"));
    assert!(
        problem.message.contains("password") && problem.message.contains(&key),
        "{problem}"
    );
    assert!(lab.deployment("shop").await.is_none());

    lab.put(
        "shop",
        "database/main",
        &json!({ "user": "app", "password": "p" }),
    )
    .await;
    let app = lab.ready("shop").await;
    assert!(app.status.unwrap().problems.is_empty());
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_keep_running_when_their_key_is_deleted() {
    let lab = lab("deleted").await;
    lab.put("shop", "db", &json!({ "password": "p" })).await;
    let secrets = json!([{ "name": "db", "refreshInterval": "2s", "keys": [{ "property": "password" }] }]);
    lab.create("shop", json!({ "secrets": secrets })).await;
    lab.ready("shop").await;
    let before = lab.generation("shop").await;
    let remote = lab.test.secrets_manager().unwrap();
    remote.delete(&lab.key("shop", "db")).await.unwrap();
    let problem = lab.problem("shop", "RemoteKeyMissing").await;
    assert!(!problem.is_error(), "it must be a warning: {problem}");
    lab.ready("shop").await;
    assert_eq!(lab.secret("shop-secret-db").await.unwrap()["password"], "p");
    lab.put("shop", "db", &json!({ "password": "p" })).await;
    eventually("the warning disappears", || async {
        let problems = lab.get("shop").await.status.unwrap_or_default().problems;
        problems.is_empty().then_some(()).ok_or(format!("{problems:?}"))
    })
    .await;
    assert_eq!(
        lab.generation("shop").await,
        before,
        "the same value causes no rollout"
    );
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_fails_is_reported() {
    let lab = lab("template").await;
    // Templates that cannot work with any properties are rejected before (tests/attacks/template_door.rs).
    for (name, template) in [
        ("missing", "{{ .nobody }}"),
        ("later", "{{ .user | upper }}{{ .nobody | default \"x\" }}"),
    ] {
        lab.put(name, "db", &json!({ "user": "Secret does not exist" }))
            .await;
        let secrets = json!([{ "name": "db", "refreshInterval": "2s", "template": { "X": template } }]);
        lab.create(name, json!({ "secrets": secrets })).await;
        let problem = lab.problem(name, "TemplateInvalid").await;
        assert_eq!(
            problem.path.as_deref(),
            Some("spec.secrets[0].template"),
            "{problem}"
        );
        assert!(
            !problem.to_string().contains("does not exist"),
            "the problem contains no value: {problem}"
        );
        let right = json!([{ "name": "db", "refreshInterval": "2s", "template": { "X": "{{ .user }}!" } }]);
        lab.change(name, json!({ "secrets": right })).await;
        lab.ready(name).await;
        let held = lab.secret(&format!("{name}-secret-db")).await.unwrap();
        assert_eq!(held["X"], "Secret does not exist!");
    }
    lab.end().await;
}

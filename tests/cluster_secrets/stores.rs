//! Which namespaces a store serves; bindings created by hand.

use std::time::Duration;

use idp_api::SecretBinding;
use idp_testkit::{eventually, stays};
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::lab;

/// A namespace that every cluster has, but the repository's store does not serve.
const EXCLUDED: &str = "kube-public";

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_serve_the_namespace_is_reported_until_it_does() {
    let own = lab("store").await;
    let lab = own.within(EXCLUDED);
    let name = own.ns.clone();
    lab.restore_store().await;
    lab.put(&name, "db", &json!({ "password": "p" })).await;
    let secrets = json!([{ "name": "db", "refreshInterval": "2s", "keys": [{ "property": "password" }] }]);
    lab.create(&name, json!({ "secrets": secrets })).await;
    let problem = lab.problem(&name, "StoreNotAllowed").await;
    assert_eq!(problem.path.as_deref(), Some("spec.secrets[0]"));
    assert!(problem.message.contains(&lab.key(&name, "db")), "{problem}");
    assert!(lab.deployment(&name).await.is_none());

    lab.test.apply(serving_all()).await.unwrap();
    let ready = tokio::spawn({
        let (lab, name) = (lab.within(EXCLUDED), name.clone());
        async move { lab.ready(&name).await }
    });
    let ended = ready.await;
    lab.restore_store().await;
    lab.delete(&name).await;
    ended.expect("the application recovers without help");
    eventually("the ExternalSecrets are deleted", || async {
        let left = lab.external_secrets().await;
        left.is_empty().then_some(()).ok_or(format!("{left:?}"))
    })
    .await;
    own.end().await;
}

/// The store of the repository, without the condition on namespaces.
fn serving_all() -> Value {
    let file = idp_testkit::root().join("secrets/external-secrets/local.yaml");
    let mut store = idp_api::manifests::parse(&std::fs::read_to_string(file).unwrap())
        .unwrap()
        .remove(0);
    let excluded = "/spec/conditions/0/namespaceSelector/matchExpressions/0/values";
    let excluded = store.pointer_mut(excluded).and_then(Value::as_array_mut).unwrap();
    excluded.retain(|namespace| namespace != EXCLUDED);
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_binding_reads_no_secret_of_others() {
    let lab = lab("hand").await;
    let other = crate::lab("hand-other").await;
    other.put("shop", "db", &json!({ "password": "p" })).await;
    let own_store = ("localstack", "ClusterSecretStore");
    let escape = format!("{}/shop/../../{}/shop/db", lab.ns, other.ns);
    let cases = [
        (
            "foreign-key",
            other.key("shop", "db"),
            own_store,
            "InvalidRemoteKey",
        ),
        ("escape", escape, own_store, "InvalidRemoteKey"),
        (
            "prefix",
            format!("{}/shop/", lab.ns),
            own_store,
            "InvalidRemoteKey",
        ),
        (
            "store",
            lab.key("shop", "db"),
            ("test-localstack", "ClusterSecretStore"),
            "StoreNotAllowed",
        ),
        (
            "own-store",
            lab.key("shop", "db"),
            ("localstack", "SecretStore"),
            "StoreNotAllowed",
        ),
    ];
    for (name, key, (store, kind), reason) in cases {
        let binding: SecretBinding = serde_json::from_value(json!({
            "apiVersion": "idp.dev/v1alpha1", "kind": "SecretBinding", "metadata": { "name": name },
            "spec": {
                "application": "shop",
                "store": { "name": store, "kind": kind },
                "secrets": [{ "name": "db", "path": "spec.secrets[0]", "target": "stolen", "remoteKey": key,
                              "refreshInterval": "2s" }],
            },
        }))
        .unwrap();
        lab.bindings()
            .create(&PostParams::default(), &binding)
            .await
            .unwrap();
        eventually(&format!("{name} is rejected"), || async {
            let binding = lab
                .bindings()
                .get(name)
                .await
                .map_err(|error| error.to_string())?;
            let problems = binding.status.unwrap_or_default().problems;
            let found = problems.iter().any(|problem| problem.reason == reason);
            found.then_some(()).ok_or(format!("{problems:?}"))
        })
        .await;
    }
    stays(Duration::from_secs(4), "no Secret is created", || async {
        let made = (lab.external_secrets().await, lab.secret("stolen").await);
        (made == (Vec::new(), None))
            .then_some(())
            .ok_or(format!("{made:?}"))
    })
    .await;
    lab.bindings()
        .delete("store", &DeleteParams::default())
        .await
        .unwrap();
    lab.end().await;
    other.end().await;
}

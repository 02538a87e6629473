//! Invalid keys and names are rejected with the field's path, and no objects are created.

use std::time::Duration;

use idp_core::Kind;
use idp_testkit::stays;
use idp_webapp::kinds;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::lab;

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_rejects_invalid_keys() {
    let lab = lab("keys").await;
    let long = "x".repeat(401);
    let escapes = [
        "../other/db",
        "a/../../other",
        "..",
        "./db",
        "/db",
        "db/",
        "a//b",
        "%2e%2e/other",
        "db%2e",
        "db#version",
        "db?version=1",
        "d\u{0430}tabase",
        "schlüssel",
        "d b",
        "db\n",
        "{namespace}",
        "",
        long.as_str(),
    ];
    for key in escapes {
        let spec = json!({ "secrets": [{ "name": "ok" }, { "name": "db", "remoteKey": key }] });
        let refusal = lab.refusal("shop", spec).await;
        let refusal = refusal.unwrap_or_else(|| panic!("{key:?} is accepted"));
        assert!(
            refusal.contains("spec.secrets[1].remoteKey"),
            "{key:?}: {refusal}"
        );
    }
    for key in ["database", "payment/api-key", "a.b/c_d+e=f@g-1"] {
        let refusal = lab
            .refusal("shop", json!({ "secrets": [{ "name": "db", "remoteKey": key }] }))
            .await;
        assert_eq!(refusal, None, "{key}");
    }
    let others: [(Value, &str); 6] = [
        (json!({ "name": "Db" }), "spec.secrets[0].name"),
        (
            json!({ "name": "db", "keys": [{ "property": "p", "env": "1X" }] }),
            "spec.secrets[0].keys[0].env",
        ),
        (
            json!({ "name": "db", "mountPath": "etc" }),
            "spec.secrets[0].mountPath",
        ),
        (
            json!({ "name": "db", "refreshInterval": "often" }),
            "spec.secrets[0].refreshInterval",
        ),
        (
            json!({ "name": "db", "generate": { "length": 8 } }),
            "spec.secrets[0].generate.length",
        ),
        (
            json!({ "name": "db", "generate": {}, "remoteKey": "x" }),
            "spec.secrets[0]",
        ),
    ];
    for (secret, path) in others {
        let refusal = lab.refusal("shop", json!({ "secrets": [secret] })).await;
        let refusal = refusal.unwrap_or_else(|| panic!("{secret} is accepted"));
        assert!(refusal.contains(path), "{secret}: {refusal}");
    }
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_are_reported_and_no_objects_created() {
    let lab = lab("conflicts").await;
    let key = |property: &str| json!([{ "property": property }]);
    let cases = [
        // Two secrets set the same variable.
        (
            "variables",
            json!({ "secrets": [{ "name": "one", "keys": key("token") }, { "name": "two", "keys": key("token") }] }),
            "VariableConflict",
            "spec.secrets[1].keys[0]",
        ),
        // A secret sets a variable that the application sets itself.
        (
            "env",
            json!({ "env": [{ "name": "TOKEN", "value": "x" }], "secrets": [{ "name": "one", "keys": key("token") }] }),
            "VariableConflict",
            "spec.secrets",
        ),
        // A template's name is not a variable name.
        (
            "template",
            json!({ "secrets": [{ "name": "one", "template": { "a b": "{{ .x }}" } }] }),
            "InvalidSpec",
            "spec.secrets[0].template.a b",
        ),
        // Two secrets in one directory, and one that hides the application's files.
        (
            "mounts",
            json!({ "secrets": [{ "name": "one", "mountPath": "/etc/x" }, { "name": "two", "mountPath": "/etc/x/y" }] }),
            "MountConflict",
            "spec.secrets",
        ),
        (
            "proc",
            json!({ "secrets": [{ "name": "one", "mountPath": "/proc/x" }] }),
            "MountConflict",
            "spec.secrets",
        ),
    ];
    for (name, spec, reason, path) in &cases {
        lab.create(name, spec.clone()).await;
        let problem = lab.problem(name, reason).await;
        assert_eq!(problem.path.as_deref(), Some(*path), "{problem}");
        assert!(problem.hint.is_some(), "{problem}");
    }
    stays(Duration::from_secs(3), "no objects are created", || async {
        for kind in kinds::CHILDREN.into_iter().chain(kinds::BINDINGS) {
            let left = ours(&lab, kind).await;
            if !left.is_empty() {
                return Err(format!("{kind}: {left:?}"));
            }
        }
        Ok(())
    })
    .await;
    assert!(lab.external_secrets().await.is_empty());
    lab.end().await;
}

async fn ours(lab: &idp_tests::Lab, kind: Kind) -> Vec<Option<String>> {
    let ours = ListParams::default().labels(idp_core::labels::APPLICATION);
    let listed = lab.objects(kind).list_metadata(&ours).await.unwrap();
    listed
        .items
        .into_iter()
        .map(|object| object.metadata.name)
        .collect()
}

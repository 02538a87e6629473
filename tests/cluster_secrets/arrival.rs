//! Values arrive in every supported form, and `render` shows the same objects.

use std::collections::BTreeMap;

use idp_core::Kind;
use idp_testkit::{compare::covers, eventually};
use k8s_openapi::api::apps::v1::ReplicaSet;
use serde_json::{Value, json};

use crate::lab;

/// Every form.
fn forms() -> Value {
    json!({ "secrets": [
        { "name": "whole", "refreshInterval": "2s" },
        { "name": "db", "remoteKey": "database/main", "refreshInterval": "2s",
          "keys": [{ "property": "user", "env": "DB_USER" }, { "property": "password" }] },
        { "name": "files", "mountPath": "/etc/shop-keys" },
        { "name": "url", "remoteKey": "database/main",
          "template": { "DATABASE_URL": "postgres://{{ .user }}:{{ .password }}@db" } },
        { "name": "session", "generate": { "length": 40 } },
    ]})
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_reaches_the_pods() {
    let lab = lab("arrive").await;
    lab.put("shop", "whole", &json!({ "TOKEN": "t-1", "REGION": "eu" }))
        .await;
    lab.put(
        "shop",
        "database/main",
        &json!({ "user": "app", "password": "p-1", "other": "o" }),
    )
    .await;
    lab.put("shop", "files", &json!({ "tls.key": "k-1" })).await;
    lab.create("shop", forms()).await;
    lab.ready("shop").await;

    // The pods refer to the Secrets: the Deployment contains no value.
    let variables = lab.variables("shop").await;
    let expected = [
        ("DB_USER", "shop-secret-db/user"),
        ("PASSWORD", "shop-secret-db/password"),
        ("DATABASE_URL", "shop-secret-url/DATABASE_URL"),
        ("SESSION", "shop-secret-session/password"),
    ];
    for (name, from) in expected {
        assert_eq!(
            variables.get(name).map(String::as_str),
            Some(from),
            "{variables:?}"
        );
    }
    let container = lab.container("shop").await;
    let whole: Vec<_> = container.env_from.unwrap_or_default();
    let whole: Vec<_> = whole
        .iter()
        .filter_map(|from| from.secret_ref.as_ref())
        .map(|secret| secret.name.as_str())
        .collect();
    assert_eq!(whole, ["shop-secret-whole"]);
    let mount = container.volume_mounts.unwrap_or_default();
    let mount = mount.iter().find(|mount| mount.mount_path == "/etc/shop-keys");
    let mount = mount.expect("the files are mounted");
    assert_eq!(mount.read_only, Some(true));
    let pods = lab
        .deployment("shop")
        .await
        .unwrap()
        .spec
        .unwrap()
        .template
        .spec
        .unwrap();
    let volume = pods.volumes.unwrap_or_default();
    let volume = volume.iter().find(|volume| volume.name == mount.name);
    let source = volume
        .and_then(|volume| volume.secret.as_ref())
        .expect("a Secret's");
    assert_eq!(source.secret_name.as_deref(), Some("shop-secret-files"));

    // The Secrets contain the requested values, and no others.
    let held = |pairs: &[(&str, &str)]| -> Option<BTreeMap<String, String>> {
        let pairs = pairs.iter();
        Some(
            pairs
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        )
    };
    assert_eq!(
        lab.secret("shop-secret-whole").await,
        held(&[("TOKEN", "t-1"), ("REGION", "eu")])
    );
    assert_eq!(
        lab.secret("shop-secret-db").await,
        held(&[("user", "app"), ("password", "p-1")])
    );
    assert_eq!(lab.secret("shop-secret-files").await, held(&[("tls.key", "k-1")]));
    assert_eq!(
        lab.secret("shop-secret-url").await,
        held(&[("DATABASE_URL", "postgres://app:p-1@db")])
    );
    let generated = lab.secret("shop-secret-session").await.unwrap();
    assert_eq!(generated["password"].len(), 40);

    // Everything arrived together: pods started once.
    assert_eq!(lab.labelled::<ReplicaSet>("shop").await.len(), 1);
    let app = lab.get("shop").await;
    assert_eq!(
        idp_tests::condition(&app, "SecretsReady").map(|(ready, _)| ready),
        Some(true),
        "{}",
        idp_tests::why(&app)
    );
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn render_shows_the_live_objects() {
    let lab = lab("render").await;
    for key in ["whole", "files"] {
        lab.put("shop", key, &json!({ "A": "1" })).await;
    }
    lab.put(
        "shop",
        "database/main",
        &json!({ "user": "app", "password": "p" }),
    )
    .await;
    let app = lab.create("shop", forms()).await;
    lab.ready("shop").await;
    let ask = |capability: &str, request: &idp_core::capability::SectionRequest| {
        (capability == "secrets").then(|| idp_secrets_bridge::section::plan(request))
    };
    let environment = lab.environment().await;
    let plan = idp_webapp::render::render_with(&app, &environment, ask).unwrap();
    assert!(
        plan.children
            .iter()
            .any(|child| child.kind.kind == "SecretBinding")
    );
    eventually("the live objects equal the rendered ones", || async {
        for child in &plan.children {
            let live = lab.objects(child.kind).get(&child.name).await;
            let live = live.map_err(|error| error.to_string())?;
            let mut live = serde_json::to_value(live).unwrap();
            let mut wanted = child.object.clone();
            if child.kind.kind == "Deployment" {
                // Only a cluster has versions, which the hash covers.
                for object in [&mut wanted, &mut live] {
                    forget(
                        object,
                        "/spec/template/metadata/annotations",
                        "idp.dev/bindings-version",
                    );
                    forget(object, "/metadata/annotations", "idp.dev/plan-hash");
                }
            }
            covers(&wanted, &live, &mut format!("{} {}", child.kind, child.name))?;
        }
        let app = lab.get("shop").await;
        let mut inventory = app.status.unwrap_or_default().children;
        inventory.retain(|child| {
            !plan
                .children
                .iter()
                .any(|planned| same(planned.kind, &planned.name, child))
        });
        if inventory.is_empty() {
            Ok(())
        } else {
            Err(format!("not rendered: {inventory:?}"))
        }
    })
    .await;
    lab.end().await;
}

fn same(kind: Kind, name: &str, child: &idp_api::web_application::ChildStatus) -> bool {
    kind.kind == child.kind && name == child.name
}

fn forget(object: &mut Value, at: &str, key: &str) {
    if let Some(Value::Object(fields)) = object.pointer_mut(at) {
        fields.remove(key);
    }
}

use idp_api::WebApplicationSpec;
use idp_runtime::offline_view;
use serde_json::json;

use super::*;
use crate::controller::WebApplicationController;

fn app(name: &str, created: &str, host: &str) -> WebApplication {
    let spec: WebApplicationSpec =
        serde_json::from_value(json!({"image": "a:1", "routes": [{"host": host}]})).unwrap();
    let mut app = WebApplication::new(name, spec);
    app.metadata = serde_json::from_value(json!({
        "name": name, "namespace": name, "creationTimestamp": created,
    }))
    .unwrap();
    app
}

fn object(value: serde_json::Value) -> kube::core::DynamicObject {
    serde_json::from_value(value).unwrap()
}

fn environment() -> kube::core::DynamicObject {
    object(json!({
        "apiVersion": "idp.dev/v1alpha1", "kind": "Environment",
        "metadata": {"name": "test", "resourceVersion": "1"},
        "spec": {
            "baseDomain": "apps.test", "sizes": {"small": {"cpu": "100m", "memory": "128Mi"}},
            "defaultSize": "small", "replicas": {"floor": 1, "ceiling": 2},
        },
    }))
}

fn namespace(name: &str) -> kube::core::DynamicObject {
    object(json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "resourceVersion": "1"},
    }))
}

/// An application of the cluster, with a UID and a version.
fn known(name: &str, host: &str) -> WebApplication {
    let mut app = app(name, "2026-01-01T00:00:00Z", host);
    app.metadata.uid = Some(format!("uid-of-{name}"));
    app.metadata.resource_version = Some("1".into());
    app
}

/// How many entries one look at an application visits, with this many others.
async fn visited(others: usize) -> u64 {
    let others = (0..others).map(|n| known(&format!("other-{n}"), &format!("other-{n}")));
    let mut taken = known("rival", "shop");
    taken.metadata.creation_timestamp = None;
    let shop = known("shop", "shop");
    let controller = WebApplicationController::default();
    let view = offline_view(
        &controller,
        others.chain([shop.clone(), taken]),
        [environment(), namespace("shop")],
    );
    let before = view.visited();
    let observed = observe(&shop, &view, &Capabilities::default()).await.unwrap();
    assert_eq!(observed.environments.len(), 1);
    assert_eq!(affected(&shop, &view), [ObjectKey::new("rival", "rival")]);
    view.visited() - before
}

#[tokio::test]
async fn a_reconcile_costs_the_same_however_many_others_there_are() {
    let few = visited(10).await;
    assert!(few < 30, "{few}");
    assert_eq!(visited(3_000).await, few);
}

#[tokio::test]
async fn an_environment_that_cannot_be_read_is_not_one_that_is_missing() {
    let mut environment = environment();
    environment.data["spec"]["replicas"]["floor"] = json!("two");
    let shop = known("shop", "shop");
    let objects = [environment, namespace("shop")];
    let view = offline_view(&WebApplicationController::default(), [shop.clone()], objects);
    let observed = observe(&shop, &view, &Capabilities::default()).await.unwrap();
    let problems = crate::validate::validate(&shop, &observed).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].reason, "EnvironmentUnreadable");
    assert!(
        problems[0]
            .message
            .starts_with("Cannot read Environment test: spec.replicas.floor: invalid type"),
        "{}",
        problems[0].message
    );
}

#[tokio::test]
async fn what_only_claims_to_be_a_child_tells_nothing() {
    let shop = known("shop", "shop");
    let job = |namespace: &str, uid: &str, labelled: bool| {
        let mut job = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "shop-migrate-1", "namespace": namespace, "uid": "u", "resourceVersion": "1",
                "labels": {"app.kubernetes.io/managed-by": "idp-webapp"}},
            "status": {"conditions": [{"type": "Complete", "status": "True"}]},
        });
        if labelled {
            job["metadata"]["labels"]["idp.dev/owner-uid"] = json!(uid);
            job["metadata"]["annotations"] =
                json!({"idp.dev/owner": "shop/shop", "idp.dev/detached": "true"});
        } else {
            job["metadata"]["ownerReferences"] = json!([{
                "apiVersion": "idp.dev/v1alpha1", "kind": "WebApplication", "name": "shop", "uid": uid,
                "controller": true,
            }]);
        }
        object(job)
    };
    let migrations = async |job| {
        let controller = WebApplicationController::default();
        let view = offline_view(
            &controller,
            [known("shop", "shop")],
            [environment(), namespace("shop"), job],
        );
        let observed = observe(&shop, &view, &Capabilities::default()).await.unwrap();
        observed.migrations.len()
    };
    assert_eq!(migrations(job("shop", "uid-of-shop", false)).await, 1, "its own");
    for forged in [
        job("evil", "whatever", true),
        job("evil", "uid-of-shop", true),
        job("evil", "uid-of-shop", false),
        job("shop", "whatever", true),
        job("shop", "whatever", false),
        job("shop", "uid-of-shop", true),
    ] {
        assert_eq!(migrations(forged.clone()).await, 0, "{forged:?}");
    }
}

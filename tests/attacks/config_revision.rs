//! A pod of the old version never reads the new configuration file.

use idp_testkit::eventually;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::DeleteParams;
use serde_json::json;

use crate::Tenant;

/// The ConfigMap that a pod reads.
fn config(pod: &Pod) -> String {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let maps = volumes.filter_map(|volume| volume.config_map.as_ref());
    maps.map(|map| map.name.clone()).next().expect("a ConfigMap")
}

/// Pods of the Deployment.
async fn pods(tenant: &Tenant, name: &str) -> Vec<Pod> {
    let all: Vec<Pod> = tenant.lab.labelled(name).await;
    let answers = |pod: &Pod| {
        let labels = pod.metadata.labels.as_ref().unwrap();
        labels
            .get("app.kubernetes.io/component")
            .is_some_and(|part| part == "web")
            && pod.metadata.deletion_timestamp.is_none()
    };
    all.into_iter().filter(answers).collect()
}

/// The content of a ConfigMap, if it exists.
async fn content(tenant: &Tenant, name: &str) -> Option<String> {
    let map = tenant.lab.api::<ConfigMap>().get_opt(name).await.unwrap()?;
    assert_eq!(map.immutable, Some(true), "{name}");
    map.data.unwrap_or_default().into_values().next()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_of_the_old_version_keeps_its_configuration_file() {
    let tenant = Tenant::new("config").await;
    let file = |content: &str| json!([{"path": "/etc/shop.toml", "content": content}]);
    tenant
        .create("shop", json!({"replicas": 2, "configFiles": file("old")}))
        .await
        .unwrap();
    tenant.lab.ready("shop").await;
    let before = pods(&tenant, "shop").await;
    assert_eq!(before.len(), 2);
    let old = config(&before[0]);
    assert_eq!(content(&tenant, &old).await.as_deref(), Some("old"));

    // No node fits the migration of the new version: it is pending, and the old version keeps running.
    let next = json!({
        "image": "shop:2.0", "configFiles": file("new"), "migration": {"command": ["migrate"]},
        "placement": {"nodeSelector": {"type": "nowhere"}},
    });
    tenant.lab.change("shop", next).await;
    let new = eventually("the migration reads the new file", || async {
        let all: Vec<Pod> = tenant.lab.labelled("shop").await;
        let names = all.iter().map(config);
        names
            .into_iter()
            .find(|name| *name != old)
            .ok_or("no pod of the migration")
    })
    .await;
    assert_eq!(content(&tenant, &new).await.as_deref(), Some("new"));

    // One after the other, like a drained node, until none of the earlier pods is left.
    for pod in before {
        let name = pod.metadata.name.unwrap();
        tenant
            .lab
            .api::<Pod>()
            .delete(&name, &DeleteParams::default())
            .await
            .unwrap();
        eventually("another pod replaces it", || async {
            let now = pods(&tenant, "shop").await;
            let ready = now.len() == 2 && now.iter().all(|pod| pod.metadata.name.as_ref() != Some(&name));
            ready.then_some(()).ok_or_else(|| format!("{} pods", now.len()))
        })
        .await;
        for pod in pods(&tenant, "shop").await {
            assert_eq!(config(&pod), old);
        }
        assert_eq!(content(&tenant, &old).await.as_deref(), Some("old"));
    }

    // Once the new version runs, no pod uses the old file, and it is deleted.
    let on = json!({"migration": null, "placement": {"nodeSelector": {"type": "kwok"}}});
    tenant.lab.change("shop", on).await;
    tenant.lab.ready("shop").await;
    eventually("the old revision is deleted", || async {
        match content(&tenant, &old).await {
            None => Ok(()),
            Some(_) => Err("it is there"),
        }
    })
    .await;
    for pod in pods(&tenant, "shop").await {
        assert_eq!(config(&pod), new);
    }
    assert_eq!(content(&tenant, &new).await.as_deref(), Some("new"));
    tenant.end().await;
}

//! From the binding to the Secret with composite resources in namespaces, where it differs from claims.

use anyhow::ensure;
use idp_claim_broker::reasons;
use idp_testkit::eventually;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::support::{Lab, binding, is_ready, problem};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_is_the_same_without_connection_secrets_of_crossplane() {
    let lab = Lab::with_composites().await;
    let namespace = lab.test.namespace("xr").await.unwrap();
    let class = lab.class(&namespace, json!({})).await;
    let broker = lab.broker("xr").await;
    lab.bind(&binding(&namespace, &class, "shop", "orders")).await;
    let status = lab.until_ready(&namespace, "shop-orders").await.status.unwrap();
    assert!(is_ready(&status) && status.problems.is_empty(), "{status:#?}");
    let secrets = Api::<Secret>::namespaced(lab.client(), &namespace);
    let name = status.secret.clone().unwrap();
    let secret = eventually("the Secret is composed under the agreed name", || {
        secrets.get(&name)
    })
    .await;
    assert_eq!(secret.data.unwrap()["host"].0, b"db.cloud.test");
    let resource = lab.claims(&namespace).get("shop-orders").await.unwrap();
    assert_eq!(
        resource.data["spec"]["crossplane"]["compositionSelector"]["matchLabels"]["provider"],
        "test"
    );
    assert_eq!(resource.metadata.owner_references, None);

    // A changed Secret gives a new version, so that pods restart.
    let version = eventually("the version is that of the Secret", || async {
        let resource = lab.claims(&namespace).get("shop-orders").await?;
        let published = resource.data["status"]["connection"]["version"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        ensure!(!published.is_empty(), "{}", resource.data["status"]);
        Ok(published)
    })
    .await;
    let before = lab
        .until(&namespace, "shop-orders", "the binding has a version", |status| {
            status.version.is_some()
        })
        .await;
    let patch = json!({ "metadata": { "annotations": { "test.idp.dev/rotated": "yes" } } });
    secrets
        .patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    let before = before.status.unwrap().version;
    lab.until(
        &namespace,
        "shop-orders",
        "the binding has a new version",
        |status| status.version.is_some() && status.version != before,
    )
    .await;
    assert_ne!(
        secrets.get(&name).await.unwrap().resource_version(),
        Some(version)
    );
    drop(broker);
    lab.clean(&namespace).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_shown_with_their_cause() {
    let lab = Lab::with_composites().await;
    let namespace = lab.test.namespace("xr-cause").await.unwrap();
    let class = lab.class(&namespace, json!({})).await;
    let broker = lab.broker("xr-cause").await;
    let mut refused = binding(&namespace, &class, "shop", "refused");
    refused.spec.version = Some("99".into());
    lab.bind(&refused).await;
    let status = lab
        .until(
            &namespace,
            "shop-refused",
            "the cloud's error is shown",
            |status| problem(status, reasons::RESOURCE_FAILED).is_some(),
        )
        .await
        .status
        .unwrap();
    let said = problem(&status, reasons::RESOURCE_FAILED).unwrap();
    assert!(
        said.message
            .ends_with("InvalidParameterCombination: Cannot find version 99 for postgres"),
        "{said:?}"
    );
    lab.class(
        &namespace,
        json!({ "compositionSelector": { "provider": "nobody" } }),
    )
    .await;
    lab.bind(&binding(&namespace, &class, "shop", "homeless")).await;
    let status = lab
        .until(
            &namespace,
            "shop-homeless",
            "Crossplane's error is shown",
            |status| problem(status, reasons::COMPOSITION_FAILED).is_some(),
        )
        .await
        .status
        .unwrap();
    assert!(!is_ready(&status));
    drop(broker);
    lab.clean(&namespace).await;
}

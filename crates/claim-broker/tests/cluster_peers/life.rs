//! A claim from its binding to its Secret, and the errors in between.

use idp_api::claim_binding::ClaimPhase;
use idp_claim_broker::reasons;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::json;

use crate::support::{Lab, binding, condition, is_ready, problem};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binding_becomes_a_claim_with_its_secret() {
    let lab = Lab::with_claims().await;
    let namespace = lab.test.namespace("claim").await.unwrap();
    let class = lab.class(&namespace, json!({})).await;
    let broker = lab.broker("life").await;
    lab.bind(&binding(&namespace, &class, "shop", "orders")).await;
    let ready = lab.until_ready(&namespace, "shop-orders").await;
    let status = ready.status.unwrap();
    assert!(is_ready(&status) && status.problems.is_empty(), "{status:#?}");
    assert!(status.version.is_some());
    let secret = status.secret.clone().unwrap();
    let published = Api::<Secret>::namespaced(lab.client(), &namespace)
        .get(&secret)
        .await
        .unwrap();
    assert_eq!(published.data.unwrap()["host"].0, b"db.cloud.test");
    let claim = lab.claims(&namespace).get("shop-orders").await.unwrap();
    assert_eq!(claim.data["spec"]["parameters"]["storageGB"], 20);
    // A change of this version restarts the pods, so that they get a new password.
    let published = &claim.data["status"]["connectionDetails"]["lastPublishedTime"];
    assert!(published.is_string(), "{}", claim.data["status"]);
    assert_eq!(
        claim.metadata.owner_references, None,
        "the garbage collector must not delete it"
    );
    assert_eq!(status.claim.unwrap().uid, claim.metadata.uid.unwrap());

    // A larger size changes the same claim.
    lab.patch_binding(&namespace, "shop-orders", json!({ "spec": { "size": "large" } }))
        .await
        .unwrap();
    lab.until(&namespace, "shop-orders", "the change is observed", |status| {
        status.phase == Some(ClaimPhase::Ready)
    })
    .await;
    let claim = lab.claims(&namespace).get("shop-orders").await.unwrap();
    assert_eq!(claim.data["spec"]["parameters"]["storageGB"], 100);

    // It fails later: a warning, no new version, and pods keep running.
    let before = lab
        .bindings(&namespace)
        .get("shop-orders")
        .await
        .unwrap()
        .status
        .unwrap()
        .version;
    lab.patch_binding(&namespace, "shop-orders", json!({ "spec": { "version": "99" } }))
        .await
        .unwrap();
    let failing = lab
        .until(&namespace, "shop-orders", "the failure is shown", |status| {
            problem(status, reasons::RESOURCE_FAILED).is_some()
        })
        .await;
    let status = failing.status.unwrap();
    assert_eq!(status.version, before);
    let said = problem(&status, reasons::RESOURCE_FAILED).unwrap();
    assert!(
        said.message
            .ends_with("InvalidParameterCombination: Cannot find version 99 for postgres"),
        "{said:?}"
    );
    drop(broker);
    lab.clean(&namespace).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_of_the_cloud_and_of_crossplane_are_shown_with_their_cause() {
    let lab = Lab::with_claims().await;
    let namespace = lab.test.namespace("cause").await.unwrap();
    let class = lab.class(&namespace, json!({})).await;
    let broker = lab.broker("cause").await;
    let mut refused = binding(&namespace, &class, "shop", "refused");
    refused.spec.version = Some("99".into());
    let mut slow = binding(&namespace, &class, "shop", "slow");
    slow.spec.version = Some("slow".into());
    lab.bind(&refused).await;
    lab.bind(&slow).await;

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
    assert_eq!(status.problems.len(), 1, "{:#?}", status.problems);
    let said = &status.problems[0];
    assert_eq!(
        (said.reason.as_str(), said.path.as_deref()),
        (reasons::RESOURCE_FAILED.name, Some("spec.databases[0]"))
    );
    assert!(
        said.message.starts_with("Machine shop-refused-")
            && said.message.ends_with("Cannot find version 99 for postgres"),
        "{said:?}"
    );
    assert_eq!(
        said.hint.as_deref(),
        Some("Choose another size or version, or ask the platform team to fix the class.")
    );
    assert!(status.version.is_none() && !is_ready(&status));

    let status = lab
        .until(
            &namespace,
            "shop-slow",
            "the binding shows what it waits for",
            |status| {
                condition(status, "Reconciling")
                    .is_some_and(|condition| condition.message.contains("waits for Machine shop-slow-"))
            },
        )
        .await
        .status
        .unwrap();
    assert_eq!(status.phase, Some(ClaimPhase::Creating));

    // Once fixed, it becomes ready without help.
    lab.patch_binding(&namespace, "shop-refused", json!({ "spec": { "version": "16" } }))
        .await
        .unwrap();
    lab.until_ready(&namespace, "shop-refused").await;

    // No Composition for the class.
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
    let said = problem(&status, reasons::COMPOSITION_FAILED).unwrap();
    assert!(
        said.hint.as_ref().unwrap().contains("install a Composition"),
        "{said:?}"
    );
    drop(broker);
    lab.clean(&namespace).await;
}

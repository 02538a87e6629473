//! The state of a capability's binding reaches the application.

use std::time::Duration;

use idp_api::CapabilityBinding;
use idp_testkit::{
    eventually, stays,
    stub::{variable, with_binding},
};
use idp_tests::Lab;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::lab;

/// Acts as the capability's controller: the binding `name` has this version and these problems.
pub(crate) async fn serve(lab: &Lab, name: &str, version: &str, problems: &[Value]) {
    let bindings: Api<CapabilityBinding> = lab.api();
    eventually("the binding has a status", || async {
        let generation = bindings.get(name).await?.metadata.generation;
        let ready = if problems.is_empty() { "True" } else { "False" };
        let status = json!({ "status": {
            "observedGeneration": generation,
            "version": (!version.is_empty()).then_some(version),
            "problems": problems,
            "conditions": [{
                "type": "Ready", "status": ready, "reason": "Played", "message": "as the test says",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        }});
        let patch = Patch::Merge(status);
        bindings.patch_status(name, &PatchParams::default(), &patch).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_wait_for_the_binding_of_a_capability() {
    let lab = lab("mail").await;
    let _stub = lab.stub("mail", |request| {
        with_binding(
            variable("SMTP_HOST", "mail.example.com"),
            "CapabilityBinding",
            request,
        )
    });
    let section = json!({ "from": "shop@example.com" });
    lab.create("shop", json!({ "capabilities": { "mail": section } }))
        .await;
    let bindings: Api<CapabilityBinding> = lab.api();
    let binding = eventually("the binding is created", || bindings.get("shop")).await;
    assert_eq!(
        (binding.spec.capability.as_str(), &binding.spec.section),
        ("mail", &section)
    );
    stays(Duration::from_secs(3), "pods wait", || async {
        lab.deployment("shop")
            .await
            .is_none()
            .then_some(())
            .ok_or("there is a Deployment")
    })
    .await;
    let waits = idp_tests::condition(&lab.get("shop").await, "CapabilitiesReady").unwrap();
    assert!(!waits.0, "{waits:?}");

    // It fails, and the application shows the capability's problem.
    let problem = json!({
        "severity": "Error", "reason": "QuotaExceeded", "path": "spec.capabilities.mail.from",
        "message": "no mailbox is left", "hint": "ask the mail team",
    });
    serve(&lab, "shop", "", &[problem]).await;
    let problem = lab.problem("shop", "QuotaExceeded").await;
    assert_eq!(
        problem.path.as_deref(),
        Some("spec.capabilities.mail.from"),
        "{problem}"
    );
    assert!(lab.deployment("shop").await.is_none());

    serve(&lab, "shop", "1", &[]).await;
    let app = lab.ready("shop").await;
    assert!(app.status.unwrap().problems.is_empty());
    assert_eq!(lab.variables("shop").await["SMTP_HOST"], "mail.example.com");

    // A new version replaces the pod; the same version does not.
    let first = lab.generation("shop").await;
    serve(&lab, "shop", "1", &[]).await;
    stays(Duration::from_secs(3), "no rollout starts", || async {
        (lab.generation("shop").await == first)
            .then_some(())
            .ok_or("it rolls")
    })
    .await;
    serve(&lab, "shop", "2", &[]).await;
    eventually("a rollout starts", || async {
        (lab.generation("shop").await == first + 1)
            .then_some(())
            .ok_or("not yet")
    })
    .await;

    // A changed spec is not confused with the old one: pods wait until it is applied.
    lab.change(
        "shop",
        json!({ "capabilities": { "mail": { "from": "till@example.com" } }, "image": "shop:2.0" }),
    )
    .await;
    eventually("the binding is updated", || async {
        let binding = bindings.get("shop").await.map_err(|error| error.to_string())?;
        let from = binding.spec.section["from"].clone();
        (from == "till@example.com").then_some(()).ok_or(from.to_string())
    })
    .await;
    stays(Duration::from_secs(3), "pods wait", || async {
        (lab.generation("shop").await == first + 1)
            .then_some(())
            .ok_or("it rolls")
    })
    .await;
    serve(&lab, "shop", "3", &[]).await;
    lab.ready("shop").await;
    assert_eq!(lab.container("shop").await.image.as_deref(), Some("shop:2.0"));

    lab.change("shop", json!({ "capabilities": null })).await;
    eventually("the binding is deleted with its section", || async {
        let left = bindings
            .get_opt("shop")
            .await
            .map_err(|error| error.to_string())?;
        left.is_none().then_some(()).ok_or("it is there".to_owned())
    })
    .await;
    lab.ready("shop").await;
    assert!(!lab.variables("shop").await.contains_key("SMTP_HOST"));
    lab.end().await;
}

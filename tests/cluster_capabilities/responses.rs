//! Responses of a capability, and their effect on the application.

use std::time::Duration;

use idp_testkit::{
    eventually_within, stays,
    stub::{refusal, variable, with_binding},
};
use serde_json::json;

use crate::{SOON, lab};

#[tokio::test(flavor = "multi_thread")]
async fn a_capability_that_is_not_deployed_is_named() {
    let lab = lab("absent").await;
    lab.create("shop", json!({ "capabilities": { "absent": { "a": 1 } } }))
        .await;
    let problem = lab.problem("shop", "CapabilityMissing").await;
    assert_eq!(
        problem.path.as_deref(),
        Some("spec.capabilities.absent"),
        "{problem}"
    );
    assert!(
        problem.message.contains("absent") && problem.hint.is_some(),
        "{problem}"
    );
    assert!(
        lab.deployment("shop").await.is_none(),
        "no objects must be created"
    );
    // Without the section it runs.
    lab.change("shop", json!({ "capabilities": null })).await;
    lab.ready("shop").await;
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_is_shown_at_its_field() {
    let lab = lab("picky").await;
    let stub = lab.stub("picky", |request| {
        if request.section["size"] == "huge" {
            refusal(request, "size")
        } else {
            variable("SIZE", request.section["size"].as_str().unwrap_or_default())
        }
    });
    lab.create("shop", json!({ "capabilities": { "picky": { "size": "huge" } } }))
        .await;
    let problem = lab.problem("shop", "NotServed").await;
    assert_eq!(
        problem.path.as_deref(),
        Some("spec.capabilities.picky.size"),
        "{problem}"
    );
    assert_eq!(problem.hint.as_deref(), Some("write another one"));
    assert!(
        lab.deployment("shop").await.is_none(),
        "no objects must be created"
    );

    lab.change(
        "shop",
        json!({ "capabilities": { "picky": { "size": "small" } } }),
    )
    .await;
    lab.ready("shop").await;
    assert_eq!(lab.variables("shop").await["SIZE"], "small");

    // Running pods are not affected when a later change is rejected.
    let before = lab.generation("shop").await;
    let wish = json!({ "image": "shop:2.0", "capabilities": { "picky": { "size": "huge" } } });
    lab.change("shop", wish).await;
    lab.problem("shop", "NotServed").await;
    assert_eq!(lab.generation("shop").await, before);
    drop(stub);
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_applications_are_planned_again_at_once() {
    let _nobody_comes_or_goes = crate::WHO_IS_THERE.read().await;
    let lab = lab("stale").await;
    let other = crate::lab("stale-other").await;
    let stub = lab.stub("stale", |_| variable("LIMIT", "1"));
    for lab in [&lab, &other] {
        lab.create("shop", json!({ "capabilities": { "stale": {} } }))
            .await;
    }
    lab.ready("shop").await;
    other.ready("shop").await;
    stub.answer(|_| variable("LIMIT", "2"));
    let asked = stub.asked();
    stays(
        Duration::from_secs(3),
        "the capability is not called without a reason",
        || async { (stub.asked() == asked).then_some(()).ok_or("asked") },
    )
    .await;
    assert!(stub.stale(&[&lab.ns]), "the controller watches");
    eventually_within(SOON, "planned again", || async {
        let limit = lab.variables("shop").await["LIMIT"].clone();
        (limit == "2").then_some(()).ok_or(limit)
    })
    .await;
    assert_eq!(
        other.variables("shop").await["LIMIT"],
        "1",
        "only the namespace in the event is planned again"
    );
    // No namespace means all.
    stub.stale(&[]);
    eventually_within(SOON, "planned again", || async {
        let limit = other.variables("shop").await["LIMIT"].clone();
        (limit == "2").then_some(()).ok_or(limit)
    })
    .await;
    lab.end().await;
    other.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_with_another_kind_is_not_applied() {
    let lab = lab("foreign").await;
    let stub = lab.stub("foreign", |request| {
        with_binding(variable("A", "1"), "ClusterRoleBinding", request)
    });
    lab.create("shop", json!({ "capabilities": { "foreign": {} } }))
        .await;
    let problem = lab.problem("shop", "CapabilityFailed").await;
    assert_eq!(
        problem.path.as_deref(),
        Some("spec.capabilities.foreign"),
        "{problem}"
    );
    assert!(problem.message.contains("ClusterRoleBinding"), "{problem}");
    assert!(lab.deployment("shop").await.is_none());
    // The platform team fixes it; the application does not change.
    stub.answer(|request| with_binding(variable("A", "1"), "CapabilityBinding", request));
    stub.stale(&[]);
    crate::bindings::serve(&lab, "shop", "1", &[]).await;
    lab.ready("shop").await;
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sections_that_set_one_variable_conflict() {
    let lab = lab("conflict").await;
    let _stub = lab.stub("conflict", |_| variable("MODE", "x"));
    let spec = json!({ "env": [{ "name": "MODE", "value": "y" }], "capabilities": { "conflict": {} } });
    lab.create("shop", spec).await;
    let problem = lab.problem("shop", "VariableConflict").await;
    assert_eq!(
        problem.path.as_deref(),
        Some("spec.capabilities.conflict"),
        "{problem}"
    );
    assert!(problem.message.contains("spec.env[0]"), "{problem}");
    lab.end().await;
}

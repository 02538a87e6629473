//! Unreachable and slow capabilities.

use std::time::Duration;

use idp_api::CapabilityBinding;
use idp_testkit::{
    eventually_within, stays,
    stub::{variable, with_binding},
};
use kube::Api;
use serde_json::json;

use crate::{SOON, lab};

#[tokio::test(flavor = "multi_thread")]
async fn pods_keep_running_while_a_capability_is_unreachable() {
    let lab = lab("silent").await;
    let answer = |request: &_| with_binding(variable("A", "1"), "CapabilityBinding", request);
    let stub = lab.stub("silent", answer);
    lab.create("shop", json!({ "capabilities": { "silent": {} } }))
        .await;
    crate::bindings::serve(&lab, "shop", "1", &[]).await;
    lab.ready("shop").await;
    let before = lab.generation("shop").await;

    drop(stub);
    lab.change("shop", json!({ "image": "shop:2.0" })).await;
    let problem = lab.problem("shop", "CapabilityUnreachable").await;
    assert_eq!(
        problem.path.as_deref(),
        Some("spec.capabilities.silent"),
        "{problem}"
    );
    assert!(problem.message.contains("since 20"), "says since when: {problem}");
    // A change in the meantime is not planned either, and the message does not change.
    lab.change("shop", json!({ "image": "shop:3.0" })).await;
    let bindings: Api<CapabilityBinding> = lab.api();
    stays(Duration::from_secs(20), "nothing changes", || async {
        let problems = lab.get("shop").await.status.unwrap_or_default().problems;
        let as_before = problems == [problem.clone()]
            && lab.generation("shop").await == before
            && bindings.get_opt("shop").await.unwrap().is_some();
        as_before.then_some(()).ok_or(format!("{problems:?}"))
    })
    .await;
    let status = lab.get("shop").await.status.unwrap();
    assert!(
        status
            .children
            .iter()
            .any(|child| child.kind == "CapabilityBinding")
    );
    assert_eq!(status.ready_replicas, Some(1), "pods keep running");

    let _stub = lab.stub("silent", answer);
    eventually_within(SOON, "planned as soon as the capability responds", || async {
        let image = lab.container("shop").await.image;
        (image.as_deref() == Some("shop:3.0"))
            .then_some(())
            .ok_or(format!("{image:?}"))
    })
    .await;
    let app = lab.ready("shop").await;
    assert!(app.status.unwrap().problems.is_empty());
    lab.end().await;
}

/// More than there are workers.
const MANY: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_capability_does_not_delay_others() {
    let lab = lab("slow").await;
    let stub = lab.stub("slow", |_| variable("A", "1"));
    stub.hang(true);
    for number in 0..MANY {
        lab.create(
            &format!("slow-{number}"),
            json!({ "capabilities": { "slow": {} } }),
        )
        .await;
    }
    let problem = lab.problem("slow-0", "CapabilityUnreachable").await;
    assert_eq!(problem.path.as_deref(), Some("spec.capabilities.slow"));
    // The outage lasts longer than the retry interval, and other capabilities come and go in the meantime.
    for number in 0..5 {
        let name = format!("other-{number}");
        lab.create(&name, json!({})).await;
        lab.ready(&name).await;
        stays(Duration::from_secs(7), "silent", || async {
            lab.deployment("slow-0")
                .await
                .is_none()
                .then_some(())
                .ok_or("it was planned")
        })
        .await;
    }
    stub.hang(false);
    for number in 0..MANY {
        lab.ready(&format!("slow-{number}")).await;
    }
    lab.end().await;
}

//! The scale subresource, which `kubectl scale` and autoscalers use.

use idp_testkit::eventually;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::{fragments::base, lab::Lab};

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_scaled_like_a_deployment() {
    let lab = Lab::new("scale").await;
    lab.create(&base(&lab.ns, "shop")).await;
    let before = lab.ready("shop").await;
    assert_eq!(before.spec.replicas, Some(2));
    let wanted = json!({ "spec": { "replicas": 3 } });
    lab.apps()
        .patch_scale("shop", &PatchParams::default(), &Patch::Merge(&wanted))
        .await
        .unwrap();
    eventually("all three pods are counted", || async {
        let scale = lab
            .apps()
            .get_scale("shop")
            .await
            .map_err(|error| error.to_string())?;
        let status = scale.status.unwrap_or_default();
        let selects = status
            .selector
            .as_deref()
            .is_some_and(|selector| selector.contains("shop"));
        if status.replicas == 3 && selects {
            Ok(())
        } else {
            Err(format!("{status:?}"))
        }
    })
    .await;
    assert_eq!(lab.get("shop").await.spec.replicas, Some(3));
    lab.end().await;
}

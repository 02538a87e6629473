//! Only a claim's own labels and annotations decide about its data.

use std::time::Duration;

use anyhow::{Result, ensure};
use idp_api::{ClaimBinding, kinds::CLAIM_BINDING};
use idp_claim_broker::{annotations, kinds};
use idp_core::Kind;
use idp_testkit::{eventually, stays};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::Tenant;

const POSTGRES: Kind = kinds::CLAIMS[0];
const REDIS: Kind = kinds::CLAIMS[2];

fn binding(name: &str, spec: &Value) -> Value {
    let mut whole = json!({ "application": "qapp", "name": name, "path": "p", "engine": "postgres",
        "class": "local-postgres", "version": "16", "size": "small" });
    for (field, value) in spec.as_object().unwrap() {
        whole[field] = value.clone();
        if value.is_null() {
            whole.as_object_mut().unwrap().remove(field);
        }
    }
    json!({ "metadata": { "name": name }, "spec": whole })
}

fn bindings(tenant: &Tenant) -> Api<ClaimBinding> {
    tenant.lab.api()
}

async fn release(tenant: &Tenant, name: &str, released: bool) {
    let patch = json!({ "spec": { "released": released } });
    bindings(tenant)
        .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
}

/// Waits until the binding's current spec is rejected with this reason. Others may come first: a kind that Crossplane
/// has just begun to serve is noticed within half a minute.
async fn refused(tenant: &Tenant, name: &str, reason: &str) {
    eventually(&format!("{name} is rejected: {reason}"), || async {
        let binding = bindings(tenant).get(name).await?;
        let status = binding.status.clone().unwrap_or_default();
        ensure!(
            status.observed_generation == binding.metadata.generation,
            "not reconciled yet"
        );
        let mut errors = status.problems.iter().filter(|problem| problem.is_error());
        ensure!(errors.any(|problem| problem.reason == reason), "{status:?}");
        Ok(())
    })
    .await;
}

fn retention(claim: &DynamicObject) -> Vec<Option<String>> {
    let all = claim.annotations();
    annotations::RETENTION.map(|mark| all.get(mark).cloned()).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binding_of_another_class_does_not_touch_a_claim() {
    let tenant = Tenant::new("f05").await;
    let claims = tenant.lab.objects(POSTGRES);
    tenant
        .granted(CLAIM_BINDING, binding("q1", &json!({})))
        .await
        .unwrap();
    eventually("the claim is created", || claims.get("q1")).await;
    // Its tenant may patch it to request the deletion of its data, but may not change anything else.
    let larger = Patch::Merge(json!({ "spec": { "parameters": { "storageGB": 9999 } } }));
    let refused_patch = tenant
        .objects(POSTGRES)
        .patch("q1", &PatchParams::default(), &larger)
        .await
        .unwrap_err();
    assert!(
        refused_patch
            .to_string()
            .contains("the claim broker writes the spec of this claim"),
        "{refused_patch}"
    );
    release(&tenant, "q1", true).await;
    let kept = eventually("the claim is kept", || async {
        let claim = claims.get("q1").await?;
        ensure!(
            claim.annotations().contains_key(annotations::KEPT_UNTIL),
            "not yet"
        );
        Ok::<_, anyhow::Error>(claim)
    })
    .await;
    bindings(&tenant)
        .delete("q1", &DeleteParams::default())
        .await
        .unwrap();
    eventually("its binding is deleted", || async {
        let left = bindings(&tenant).get_opt("q1").await?;
        ensure!(left.is_none(), "it still exists");
        Ok::<_, anyhow::Error>(())
    })
    .await;

    let redis = json!({ "engine": "redis", "class": "local-redis", "version": "7.4", "size": null, "released": true });
    let mut attack = binding("q1", &redis);
    attack["metadata"]["annotations"] = json!({ annotations::DELETE_DATA: "q1" });
    tenant.granted(CLAIM_BINDING, attack).await.unwrap();
    let is_as_before = async || -> Result<()> {
        let claim = claims.get("q1").await?;
        ensure!(retention(&claim) == retention(&kept), "{:?}", claim.annotations());
        ensure!(claim.uid() == kept.uid(), "another");
        Ok(())
    };
    refused(&tenant, "q1", "KindChanged").await;
    release(&tenant, "q1", false).await;
    refused(&tenant, "q1", "KindChanged").await;
    release(&tenant, "q1", true).await;
    refused(&tenant, "q1", "KindChanged").await;
    stays(Duration::from_secs(5), "the claim does not change", &is_as_before).await;
    bindings(&tenant)
        .delete("q1", &DeleteParams::default())
        .await
        .unwrap();
    stays(Duration::from_secs(5), "the claim does not change", &is_as_before).await;
    assert!(tenant.lab.objects(REDIS).get_opt("q1").await.unwrap().is_none());
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binding_that_its_class_does_not_allow_creates_nothing() {
    let tenant = Tenant::new("f05-evil").await;
    for (name, spec, reason) in [
        ("version", json!({ "version": "9.0-evil" }), "UnknownVersion"),
        ("engine", json!({ "engine": "mysql" }), "ClassDiffers"),
        ("secret", json!({ "secret": "some-existing-secret" }), "Invalid"),
        ("size", json!({ "size": "900Ei" }), "UnknownSize"),
        (
            "volume",
            json!({ "engine": "volume", "class": "local-files", "version": null, "size": "900Ei" }),
            "SizeExceeded",
        ),
    ] {
        tenant.granted(CLAIM_BINDING, binding(name, &spec)).await.unwrap();
        refused(&tenant, name, reason).await;
    }
    for kind in [POSTGRES, kinds::VOLUME_CLAIM] {
        let made = tenant.lab.objects(kind).list(&Default::default()).await.unwrap();
        assert!(made.items.is_empty(), "{:?}", made.items);
    }
    tenant.end().await;
}

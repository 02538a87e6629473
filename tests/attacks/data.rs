//! Data outlives mistakes until its grace period ends.

use std::time::Duration;

use anyhow::{Result, ensure};
use idp_claim_broker::{annotations, kinds, retention::cli as data};
use idp_testkit::{eventually, stays};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::Tenant;

const CLAIM: &str = "shop-uploads-volume";

fn volume(size: &str) -> Value {
    json!({ "storage": { "volumes": [{ "name": "uploads", "mountPath": "/var/uploads", "size": size }] } })
}

/// The tenant's volume claims, with the tenant's permissions.
fn mine(tenant: &Tenant) -> Api<PersistentVolumeClaim> {
    Api::namespaced(tenant.client.clone(), tenant.namespace())
}

fn refusal<T>(answer: kube::Result<T>) -> String {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 403 => status.message.clone(),
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("the request was not rejected"),
    }
}

/// All ways in which a user with the permissions of `edit` could delete data.
async fn attempts(tenant: &Tenant) {
    let claims = mine(tenant);
    let deleted = refusal(claims.delete(CLAIM, &DeleteParams::default()).await);
    let way = format!("{CLAIM} -n {}", tenant.namespace());
    assert!(
        deleted.contains("holds data") && deleted.contains(&way),
        "the message has the command to use: {deleted}"
    );
    refusal(
        claims
            .delete(CLAIM, &DeleteParams::default().grace_period(0))
            .await,
    );
    for patch in [
        json!({ "annotations": { annotations::KEPT_UNTIL: "2020-01-01T00:00:00Z" } }),
        json!({ "annotations": { annotations::KEPT_UNTIL: "2020-01-01T00:00:00Z", annotations::DELETE_DATA: CLAIM } }),
        json!({ "annotations": { annotations::RELEASED_AT: "2020-01-01T00:00:00Z" } }),
        json!({ "annotations": { annotations::DELETION_POLICY: "Delete" } }),
        json!({ "annotations": { annotations::BINDING: "{}" } }),
        json!({ "annotations": { "idp.dev/purge": CLAIM } }),
        json!({ "labels": { annotations::CLASS: "local-redis" } }),
        json!({ "labels": { "app.kubernetes.io/managed-by": null } }),
        json!({ "labels": { "app.kubernetes.io/managed-by": "me" } }),
    ] {
        let patched = claims
            .patch(
                CLAIM,
                &PatchParams::default(),
                &Patch::Merge(json!({ "metadata": patch })),
            )
            .await;
        refusal(patched);
    }
    let all = claims
        .delete_collection(&DeleteParams::default(), &ListParams::default())
        .await;
    refusal(all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_ends_a_grace_period_early() {
    let tenant = Tenant::new("data").await;
    tenant.create("shop", volume("1Gi")).await.unwrap();
    let all: Api<PersistentVolumeClaim> = tenant.lab.api();
    let claim = eventually("the claim is created", || all.get(CLAIM)).await;
    attempts(&tenant).await;

    // A deletion requested before the release does not count.
    tenant
        .lab
        .apps()
        .delete("shop", &DeleteParams::default())
        .await
        .unwrap();
    let kept = eventually("the claim is kept", || async {
        let claim = all.get(CLAIM).await?;
        let until = claim.annotations().get(annotations::KEPT_UNTIL).cloned();
        until.ok_or_else(|| anyhow::anyhow!("not yet"))
    })
    .await;
    attempts(&tenant).await;

    // The tenant may request the deletion of its data, which does not shorten the grace period.
    let client = tenant.client.clone();
    let ordered = data::delete(&client, &kinds::CLAIMS, tenant.namespace(), CLAIM)
        .await
        .unwrap();
    assert_eq!(ordered.until, kept);
    attempts(&tenant).await;
    let is_there = async || -> Result<()> {
        let now = all.get(CLAIM).await?;
        ensure!(
            now.uid() == claim.uid() && now.metadata.deletion_timestamp.is_none(),
            "another claim, or in deletion"
        );
        ensure!(
            now.annotations().get(annotations::KEPT_UNTIL) == Some(&kept),
            "another grace period"
        );
        Ok(())
    };
    stays(Duration::from_secs(5), "the claim stays", &is_there).await;
    // An administrator cannot delete it by mistake, and neither can the garbage collector.
    refusal(all.delete(CLAIM, &DeleteParams::default()).await);
    let owner = json!({ "metadata": { "ownerReferences": [{ "apiVersion": "v1", "kind": "ConfigMap", "name": "gone",
        "uid": "00000000-0000-0000-0000-000000000000" }] } });
    mine(&tenant)
        .patch(CLAIM, &PatchParams::default(), &Patch::Merge(owner))
        .await
        .unwrap();

    // Deleting the namespace does not delete it either: the namespace waits, and reports what for.
    tenant
        .lab
        .test
        .delete_namespace(tenant.namespace())
        .await
        .unwrap();
    let namespaces = Api::<Namespace>::all(tenant.lab.client.clone());
    eventually("the namespace reports what blocks its deletion", || async {
        let status = namespaces
            .get(tenant.namespace())
            .await?
            .status
            .unwrap_or_default();
        let conditions = serde_json::to_string(&status.conditions)?;
        ensure!(
            conditions.contains("holds data") && conditions.contains(CLAIM),
            "{conditions}"
        );
        Ok::<_, anyhow::Error>(())
    })
    .await;
    stays(Duration::from_secs(10), "the claim stays", &is_there).await;

    // In an emergency: an explicit action of a user with the permission to purge.
    let purge = json!({ "metadata": { "annotations": { "idp.dev/purge": CLAIM } } });
    all.patch(CLAIM, &PatchParams::default(), &Patch::Merge(purge))
        .await
        .unwrap();
    all.delete(CLAIM, &DeleteParams::default()).await.unwrap();
    eventually("the namespace is deleted", || async {
        let left = namespaces.get_opt(tenant.namespace()).await?;
        ensure!(left.is_none(), "{left:?}");
        Ok::<_, anyhow::Error>(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_that_are_not_ours_are_never_adopted() {
    let tenant = Tenant::new("foreign").await;
    let claims = mine(&tenant);
    let claim = |labels: Value| {
        let claim = json!({
            "metadata": { "name": CLAIM, "labels": labels, "annotations": { "idp.dev/adopt-by": CLAIM,
                "idp.dev/owner": format!("{}/{CLAIM}", tenant.namespace()), "idp.dev/detached": "true" } },
            "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "2Gi" } } },
        });
        serde_json::from_value::<PersistentVolumeClaim>(claim).unwrap()
    };
    let forged = json!({ "app.kubernetes.io/managed-by": "idp-claim-broker", "idp.dev/owner-uid": "x",
        "idp.dev/application": "shop", "idp.dev/claim-class": "local-files" });
    refusal(claims.create(&Default::default(), &claim(forged)).await);
    let foreign = claims
        .create(&Default::default(), &claim(json!({})))
        .await
        .unwrap();
    tenant.create("shop", volume("1Gi")).await.unwrap();
    eventually("the application has the problem", || async {
        let status = tenant.lab.apps().get("shop").await?.status.unwrap_or_default();
        let taken = status
            .problems
            .iter()
            .any(|problem| problem.reason == "NameTaken");
        ensure!(taken, "{:?}", status.problems);
        Ok::<_, anyhow::Error>(())
    })
    .await;
    let now = claims.get(CLAIM).await.unwrap();
    assert_eq!((now.uid(), now.labels().len()), (foreign.uid(), 0));
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_class_that_deletes_data_is_reported_and_causes_no_rollout() {
    let tenant = Tenant::new("cache").await;
    tenant
        .create(
            "shop",
            json!({ "databases": [{ "name": "cache", "engine": "redis" }] }),
        )
        .await
        .unwrap();
    let redis = tenant.lab.objects(kinds::CLAIMS[2]);
    eventually("the claim is created", || redis.get("shop-cache")).await;
    let none = json!({ "spec": { "databases": null } });
    tenant
        .lab
        .apps()
        .patch("shop", &PatchParams::default(), &Patch::Merge(none))
        .await
        .unwrap();
    let told = eventually("the deletion is announced", || async {
        let status = tenant.lab.apps().get("shop").await?.status.unwrap_or_default();
        let problem = status
            .problems
            .iter()
            .find(|problem| problem.reason == "DataDeletion" && problem.message.contains("after 2"));
        problem
            .cloned()
            .ok_or_else(|| anyhow::anyhow!("{:?}", status.problems))
    })
    .await;
    assert!(
        told.message.contains("local-redis") && told.message.contains("deletionPolicy: Delete"),
        "{told:?}"
    );
    assert!(!told.message.contains("requested") && !told.hint.unwrap().contains("undelete"));
    let error = data::undelete(&tenant.client, &kinds::CLAIMS, tenant.namespace(), "shop-cache")
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("name it in the application shop again"),
        "{error}"
    );
    let template = || async {
        let deployment = tenant
            .lab
            .api::<k8s_openapi::api::apps::v1::Deployment>()
            .get("shop")
            .await?;
        anyhow::Ok(deployment.spec.map(|spec| spec.template))
    };
    let before = eventually("the pods are planned", &template).await;
    idp_testkit::eventually_within(Duration::from_secs(180), "the grace period is over", || async {
        let left = redis.get_opt("shop-cache").await?;
        ensure!(left.is_none(), "it still exists");
        anyhow::Ok(())
    })
    .await;
    eventually("the problem is gone", || async {
        let status = tenant.lab.apps().get("shop").await?.status.unwrap_or_default();
        ensure!(
            !status
                .problems
                .iter()
                .any(|problem| problem.reason == "DataDeletion"),
            "{:?}",
            status.problems
        );
        anyhow::Ok(())
    })
    .await;
    assert_eq!(template().await.unwrap(), before, "no rollout starts");
    tenant.end().await;
}

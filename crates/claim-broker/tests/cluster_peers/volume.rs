//! Volumes: PersistentVolumeClaims, which Kubernetes itself provides without Crossplane.

use anyhow::{anyhow, ensure};
use idp_api::WebApplication;
use idp_claim_broker::reasons;
use idp_core::condition::READY;
use idp_testkit::{
    eventually,
    fixtures::{AppFixture, app},
};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{PersistentVolume, PersistentVolumeClaim},
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    application::{serve, until, webapp},
    support::Lab,
};

const CLAIM: &str = "shop-uploads-volume";

/// Creates a PersistentVolume for this claim only.
async fn disk(lab: &Lab, namespace: &str) -> (Api<PersistentVolume>, String) {
    let name = format!("disk-{namespace}");
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": name },
        "spec": {
            "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteOnce"],
            "storageClassName": "", "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": { "path": "/nowhere" },
            "claimRef": { "namespace": namespace, "name": CLAIM },
        },
    });
    let volumes = Api::<PersistentVolume>::all(lab.client());
    let volume = serde_json::from_value(volume).unwrap();
    volumes.create(&PostParams::default(), &volume).await.unwrap();
    (volumes, name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_is_mounted_and_kept_until_its_deletion_is_requested() {
    let lab = Lab::with_claims().await;
    let namespace = lab.test.namespace("volume").await.unwrap();
    let class = lab
        .class(
            &namespace,
            json!({
                "engine": "volume",
                "resource": { "type": "PersistentVolumeClaim", "apiVersion": "v1", "kind": "PersistentVolumeClaim" },
                "template": {
                    "parameters": null,
                    "accessModes": ["ReadWriteOnce"], "storageClassName": "",
                    "resources": { "requests": { "storage": "{size}" } },
                },
                "compositionSelector": null, "versions": null, "defaultVersion": null,
                "sizes": null, "defaultSize": null, "connection": null,
                "gracePeriod": "1s",
            }),
        )
        .await;
    serve(&lab, "volume", &class).await;
    let broker = lab.broker("volume").await;
    let webapp = webapp(&lab, &broker, "webapp-volume").await;
    let apps = Api::<WebApplication>::namespaced(lab.client(), &namespace);
    let mut shop = app(&namespace, "shop").on_fake_nodes();
    let wanted = json!({ "volumes": [{ "name": "uploads", "mountPath": "/var/uploads", "size": "1Gi" }] });
    shop.spec.storage = Some(serde_json::from_value(wanted).unwrap());
    apps.create(&PostParams::default(), &shop).await.unwrap();

    let claims = Api::<PersistentVolumeClaim>::namespaced(lab.client(), &namespace);
    let claim = eventually("the claim is created", || claims.get(CLAIM)).await;
    let asked = claim
        .spec
        .and_then(|spec| spec.resources)
        .and_then(|asked| asked.requests);
    assert_eq!(asked.unwrap()["storage"].0, "1Gi");
    let (volumes, disk) = disk(&lab, &namespace).await;
    lab.until_ready(&namespace, CLAIM).await;
    let deployments = Api::<Deployment>::namespaced(lab.client(), &namespace);
    let pod = eventually("the pods mount the volume", || async {
        let deployment = serde_json::to_value(deployments.get("shop").await?)?;
        Ok::<_, anyhow::Error>(deployment["spec"]["template"]["spec"].clone())
    })
    .await;
    let has = |list: &Value, item: &Value| list.as_array().is_some_and(|list| list.contains(item));
    let volume = json!({ "name": CLAIM, "persistentVolumeClaim": { "claimName": CLAIM } });
    assert!(has(&pod["volumes"], &volume), "{pod:#}");
    let mount = json!({ "name": CLAIM, "mountPath": "/var/uploads" });
    assert!(has(&pod["containers"][0]["volumeMounts"], &mount), "{pod:#}");
    eventually("the application is ready", || async {
        let status = apps
            .get("shop")
            .await?
            .status
            .ok_or_else(|| anyhow!("no status"))?;
        let mut conditions = status.conditions.iter();
        let ready = conditions.any(|condition| condition.type_ == READY && condition.is_true());
        ensure!(ready, "{status:#?}");
        Ok::<_, anyhow::Error>(())
    })
    .await;

    // Removed from the application: kept, and protected from deletion by mistake.
    let none = Patch::Merge(json!({ "spec": { "storage": null } }));
    apps.patch("shop", &PatchParams::default(), &none).await.unwrap();
    until(
        &lab,
        &namespace,
        "the application reports the kept data",
        |status| {
            let mut problems = status.problems.iter();
            problems.any(|problem| problem.reason == reasons::DATA_KEPT)
        },
    )
    .await;
    let refused = claims.delete(CLAIM, &DeleteParams::default()).await.unwrap_err();
    assert!(refused.to_string().contains("holds data"), "{refused}");

    // The second action, after the grace period.
    let delete = json!({ "metadata": { "annotations": { "idp.dev/delete-data": CLAIM } } });
    claims
        .patch(CLAIM, &PatchParams::default(), &Patch::Merge(&delete))
        .await
        .unwrap();
    eventually("the claim is deleted", || async {
        let claim = claims.get_opt(CLAIM).await?;
        ensure!(claim.is_none(), "{:?}", claim.map(|claim| claim.metadata));
        Ok::<_, anyhow::Error>(())
    })
    .await;
    drop((webapp, broker));
    apps.delete("shop", &DeleteParams::default()).await.unwrap();
    volumes.delete(&disk, &DeleteParams::default()).await.unwrap();
    lab.clean(&namespace).await;
}

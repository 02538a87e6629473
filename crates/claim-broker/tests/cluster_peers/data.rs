//! Data outlives mistakes: how it is kept, used again, and deleted.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::join_all;
use idp_api::{ClaimBindingStatus, claim_binding::ClaimPhase};
use idp_claim_broker::{annotations, reasons, retention::cli as data};
use idp_testkit::{cli::idp_cli, eventually, stays};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use crate::support::{Lab, binding, both_ways, err, is_ready, problem};

both_ways! {
    removed_data_is_kept_and_used_again,
    deletion_requires_a_second_action_and_the_grace_period,
    a_cancelled_deletion_is_not_requested_again,
    a_class_with_policy_delete_deletes_its_data,
    a_claim_is_never_deleted_by_mistake_even_with_its_namespace,
    a_claim_deleted_by_hand_is_not_created_again_empty,
}

async fn uid(lab: &Lab, namespace: &str, name: &str) -> String {
    lab.claims(namespace).get(name).await.unwrap().uid().unwrap()
}

async fn is_there(lab: &Lab, namespace: &str, name: &str, uid: &str) -> Result<()> {
    let claim = lab.claims(namespace).get(name).await?;
    ensure!(
        claim.uid().as_deref() == Some(uid) && claim.metadata.deletion_timestamp.is_none(),
        "another claim, or in deletion"
    );
    Ok(())
}

async fn is_gone(lab: &Lab, namespace: &str, name: &str) -> Result<()> {
    let claim = lab.claims(namespace).get_opt(name).await?;
    ensure!(claim.is_none(), "{:?}", claim.map(|claim| claim.metadata));
    Ok(())
}

fn is_annotated(claim: &kube::api::DynamicObject) -> bool {
    claim.annotations().contains_key(annotations::RELEASED_AT)
}

async fn removed_data_is_kept_and_used_again(lab: Lab) {
    let namespace = lab.test.namespace("kept").await.unwrap();
    let class = lab.class(&namespace, json!({ "gracePeriod": "1s" })).await;
    let broker = lab.broker("kept").await;
    let wish = binding(&namespace, &class, "shop", "orders");
    lab.bind(&wish).await;
    lab.until_ready(&namespace, "shop-orders").await;
    let first = uid(&lab, &namespace, "shop-orders").await;

    // Removed from the application: the binding stays, as released.
    lab.patch_binding(&namespace, "shop-orders", json!({ "spec": { "released": true } }))
        .await
        .unwrap();
    let released = lab
        .until(&namespace, "shop-orders", "the claim is released", |status| {
            status.tombstone.is_some()
        })
        .await;
    let status = released.status.unwrap();
    assert_eq!(status.phase, Some(ClaimPhase::Released));
    assert!(
        is_ready(&status) && status.version.is_some(),
        "a released claim must not block its application: {status:#?}"
    );
    assert!(is_annotated(
        &lab.claims(&namespace).get("shop-orders").await.unwrap()
    ));
    // The grace period is over, but no deletion was requested.
    stays(Duration::from_secs(5), "the claim stays", || {
        is_there(&lab, &namespace, "shop-orders", &first)
    })
    .await;

    // The application has it again.
    lab.patch_binding(
        &namespace,
        "shop-orders",
        json!({ "spec": { "released": false } }),
    )
    .await
    .unwrap();
    lab.until_ready(&namespace, "shop-orders").await;
    eventually("the annotations are removed", || async {
        ensure!(
            !is_annotated(&lab.claims(&namespace).get("shop-orders").await?),
            "still annotated"
        );
        Ok(())
    })
    .await;

    // The application is deleted, and its binding with it.
    lab.bindings(&namespace)
        .delete("shop-orders", &DeleteParams::background())
        .await
        .unwrap();
    eventually("the binding is deleted", || async {
        ensure!(
            lab.bindings(&namespace).get_opt("shop-orders").await?.is_none(),
            "the binding still exists"
        );
        Ok(())
    })
    .await;
    is_there(&lab, &namespace, "shop-orders", &first).await.unwrap();
    let kept = data::list(&lab.client(), &lab.way.kinds(), Some(&namespace))
        .await
        .unwrap();
    assert_eq!((kept.len(), kept[0].claim.application.as_str()), (1, "shop"));
    assert!(kept[0].claim.tombstone.is_some(), "{kept:?}");
    let class_status = eventually("the class counts the kept claim", || async {
        let status = lab.classes().get(&class).await?.status.unwrap_or_default();
        ensure!(status.kept == 1, "{status:?}");
        Ok(status)
    })
    .await;
    assert!(class_status.problems.is_empty(), "{class_status:?}");

    // The application is created again, and gets its data back.
    lab.bind(&wish).await;
    lab.until_ready(&namespace, "shop-orders").await;
    is_there(&lab, &namespace, "shop-orders", &first).await.unwrap();
    eventually("the annotations are removed", || async {
        ensure!(
            !is_annotated(&lab.claims(&namespace).get("shop-orders").await?),
            "still annotated"
        );
        Ok(())
    })
    .await;

    // Another application does not get it.
    lab.bindings(&namespace)
        .delete("shop-orders", &DeleteParams::background())
        .await
        .unwrap();
    eventually("the binding is deleted", || async {
        ensure!(
            lab.bindings(&namespace).get_opt("shop-orders").await?.is_none(),
            "the binding still exists"
        );
        Ok(())
    })
    .await;
    let mut other = binding(&namespace, &class, "other", "orders");
    other.metadata.name = Some("shop-orders".into());
    lab.bind(&other).await;
    lab.until(&namespace, "shop-orders", "the binding is rejected", |status| {
        problem(status, reasons::NAME_TAKEN).is_some()
    })
    .await;
    is_there(&lab, &namespace, "shop-orders", &first).await.unwrap();
    drop(broker);
    lab.clean(&namespace).await;
}

async fn deletion_requires_a_second_action_and_the_grace_period(lab: Lab) {
    let namespace = lab.test.namespace("second").await.unwrap();
    let class = lab.class(&namespace, json!({ "gracePeriod": "6s" })).await;
    let broker = lab.broker("second").await;
    lab.bind(&binding(&namespace, &class, "shop", "orders")).await;
    lab.bind(&binding(&namespace, &class, "shop", "users")).await;
    lab.until_ready(&namespace, "shop-orders").await;
    lab.until_ready(&namespace, "shop-users").await;
    let order = |name: &str| json!({ "metadata": { "annotations": { "idp.dev/delete-data": name } } });

    // A deletion of data in use is reported, and not executed, now or later.
    lab.patch_binding(&namespace, "shop-orders", order("shop-orders"))
        .await
        .unwrap();
    lab.until(&namespace, "shop-orders", "it says so", |status| {
        problem(status, reasons::DELETE_IGNORED).is_some()
    })
    .await;
    assert!(
        data::delete(&lab.client(), &lab.way.kinds(), &namespace, "shop-orders")
            .await
            .unwrap_err()
            .to_string()
            .contains("uses shop-orders")
    );
    lab.patch_binding(
        &namespace,
        "shop-orders",
        json!({ "metadata": { "annotations": { "idp.dev/delete-data": null } } }),
    )
    .await
    .unwrap();

    // Released, and a deletion with a wrong name.
    let first = uid(&lab, &namespace, "shop-orders").await;
    lab.patch_binding(&namespace, "shop-orders", json!({ "spec": { "released": true } }))
        .await
        .unwrap();
    lab.patch_binding(&namespace, "shop-orders", order("orders"))
        .await
        .unwrap();
    stays(Duration::from_secs(9), "the claim stays", || {
        is_there(&lab, &namespace, "shop-orders", &first)
    })
    .await;

    // A deletion that is requested, cancelled and requested again, with an annotation of the binding.
    data::delete(&lab.client(), &lab.way.kinds(), &namespace, "shop-users")
        .await
        .unwrap_err();
    lab.patch_binding(&namespace, "shop-orders", order("shop-orders"))
        .await
        .unwrap();
    eventually("the data is deleted", || is_gone(&lab, &namespace, "shop-orders")).await;
    let deleted = lab
        .until(&namespace, "shop-orders", "it says so", |status| {
            status.phase == Some(ClaimPhase::Deleted)
        })
        .await;
    assert!(is_ready(&deleted.status.unwrap()));
    stays(Duration::from_secs(3), "the claim is not created again", || {
        is_gone(&lab, &namespace, "shop-orders")
    })
    .await;

    // Without a binding: requested with the functions of `idp-cli data`, and cancelled within the grace period.
    let second = uid(&lab, &namespace, "shop-users").await;
    lab.bindings(&namespace)
        .delete("shop-users", &DeleteParams::background())
        .await
        .unwrap();
    eventually("the claim is annotated", || async {
        ensure!(
            is_annotated(&lab.claims(&namespace).get("shop-users").await?),
            "not yet"
        );
        Ok(())
    })
    .await;
    let tombstone = data::delete(&lab.client(), &lab.way.kinds(), &namespace, "shop-users")
        .await
        .unwrap();
    assert!(tombstone.delete && !tombstone.until.is_empty());
    data::undelete(&lab.client(), &lab.way.kinds(), &namespace, "shop-users")
        .await
        .unwrap();
    stays(Duration::from_secs(10), "the claim stays", || {
        is_there(&lab, &namespace, "shop-users", &second)
    })
    .await;
    data::delete(&lab.client(), &lab.way.kinds(), &namespace, "shop-users")
        .await
        .unwrap();
    eventually("the data is deleted", || is_gone(&lab, &namespace, "shop-users")).await;
    assert!(
        broker
            .controller
            .log()
            .contains("the grace period is over; the deletion was requested")
    );
    drop(broker);
    lab.clean(&namespace).await;
}

async fn a_cancelled_deletion_is_not_requested_again(lab: Lab) {
    let namespace = lab.test.namespace("back").await.unwrap();
    let class = lab.class(&namespace, json!({ "gracePeriod": "10m" })).await;
    let broker = lab.broker("back").await;
    lab.bind(&binding(&namespace, &class, "shop", "orders")).await;
    lab.until_ready(&namespace, "shop-orders").await;
    let order = json!({
        "metadata": { "annotations": { "idp.dev/delete-data": "shop-orders" } }, "spec": { "released": true },
    });
    lab.patch_binding(&namespace, "shop-orders", order).await.unwrap();
    let is_ordered = |status: &ClaimBindingStatus| {
        let tombstone = status.tombstone.as_ref();
        tombstone.is_some_and(|tombstone| tombstone.delete)
    };
    lab.until(&namespace, "shop-orders", "the deletion is scheduled", is_ordered)
        .await;
    data::undelete(&lab.client(), &lab.way.kinds(), &namespace, "shop-orders")
        .await
        .unwrap();
    lab.until(&namespace, "shop-orders", "the claim is kept", |status| {
        status.tombstone.is_some() && !is_ordered(status)
    })
    .await;
    stays(Duration::from_secs(3), "the deletion stays cancelled", || async {
        let claim = lab.claims(&namespace).get("shop-orders").await?;
        ensure!(
            !claim.annotations().contains_key(annotations::DELETE_DATA),
            "requested again"
        );
        anyhow::Ok(())
    })
    .await;

    // With the command line: nothing happens unless the name is confirmed.
    let delete = ["data", "delete", "shop-orders", "-n", &namespace];
    for (confirm, why) in [
        (&[][..], "Confirm with --confirm shop-orders"),
        (&["--confirm", "shop"], "is not"),
    ] {
        let said = idp_cli(&lab.test.cluster, &[&delete, confirm].concat(), "shop-orders\n")
            .await
            .unwrap();
        assert!(!said.well && said.errors.contains(why), "{said:?}");
    }
    let claim = lab.claims(&namespace).get("shop-orders").await.unwrap();
    assert!(!claim.annotations().contains_key(annotations::DELETE_DATA));
    let confirmed = [&delete[..], &["--confirm", "shop-orders"]].concat();
    let said = idp_cli(&lab.test.cluster, &confirmed, "").await.unwrap();
    assert!(said.well, "{said:?}");
    lab.until(&namespace, "shop-orders", "the deletion is scheduled", is_ordered)
        .await;
    let list = ["data", "list", "-n", &namespace];
    let said = idp_cli(&lab.test.cluster, &list, "").await.unwrap();
    assert!(said.output.contains("deleted after"), "{said:?}");
    drop(broker);
    lab.clean(&namespace).await;
}

async fn a_class_with_policy_delete_deletes_its_data(lab: Lab) {
    let namespace = lab.test.namespace("cache").await.unwrap();
    let class = lab
        .class(
            &namespace,
            json!({ "gracePeriod": "3s", "deletionPolicy": "Delete" }),
        )
        .await;
    let broker = lab.broker("cache").await;
    lab.bind(&binding(&namespace, &class, "shop", "cache")).await;
    lab.until_ready(&namespace, "shop-cache").await;
    lab.bindings(&namespace)
        .delete("shop-cache", &DeleteParams::background())
        .await
        .unwrap();
    eventually("the data is deleted", || is_gone(&lab, &namespace, "shop-cache")).await;
    drop(broker);
    lab.clean(&namespace).await;
}

async fn a_claim_is_never_deleted_by_mistake_even_with_its_namespace(lab: Lab) {
    let namespace = lab.test.namespace("gone").await.unwrap();
    let class = lab.class(&namespace, json!({ "gracePeriod": "1s" })).await;
    let broker = lab.broker("gone").await;
    lab.bind(&binding(&namespace, &class, "shop", "orders")).await;
    lab.until_ready(&namespace, "shop-orders").await;
    let first = uid(&lab, &namespace, "shop-orders").await;
    let refused = err(lab
        .claims(&namespace)
        .delete("shop-orders", &DeleteParams::default())
        .await);
    assert!(
        refused.contains(&format!("idp-cli data delete shop-orders -n {namespace}")),
        "{refused}"
    );

    lab.test.delete_namespace(&namespace).await.unwrap();
    let namespaces = Api::<Namespace>::all(lab.client());
    eventually("the namespace reports what blocks its deletion", || async {
        let status = namespaces.get(&namespace).await?.status.unwrap_or_default();
        let conditions = serde_json::to_string(&status.conditions)?;
        ensure!(conditions.contains("holds data"), "{conditions}");
        Ok::<_, anyhow::Error>(())
    })
    .await;
    eventually("the binding is deleted", || async {
        ensure!(
            lab.bindings(&namespace).get_opt("shop-orders").await?.is_none(),
            "the binding still exists"
        );
        Ok(())
    })
    .await;
    let claim = lab.claims(&namespace).get("shop-orders").await.unwrap();
    assert!(
        is_annotated(&claim) && claim.uid() == Some(first),
        "{:?}",
        claim.metadata
    );
    data::delete(&lab.client(), &lab.way.kinds(), &namespace, "shop-orders")
        .await
        .unwrap();
    eventually("the namespace is deleted after the explicit request", || async {
        ensure!(namespaces.get_opt(&namespace).await?.is_none(), "it still exists");
        Ok(())
    })
    .await;
    drop(broker);
    lab.clean(&namespace).await;
}

async fn a_claim_deleted_by_hand_is_not_created_again_empty(lab: Lab) {
    let namespace = lab.test.namespace("lost").await.unwrap();
    let class = lab.class(&namespace, json!({})).await;
    let broker = lab.broker("lost").await;
    // Deleted at the moment when they become ready: the broker may still be planning with the state before.
    let lost = ["orders", "users", "carts", "stock", "mails", "audit"].map(async |name| {
        lab.bind(&binding(&namespace, &class, "shop", name)).await;
        let name = format!("shop-{name}");
        let ready = lab.until_ready(&namespace, &name).await;
        lab.destroy(&namespace, &name).await;
        let lost = lab
            .until(&namespace, &name, "it says so", |status| {
                status.phase == Some(ClaimPhase::Lost)
            })
            .await;
        (ready.status.unwrap().claim.unwrap().uid, lost)
    });
    let (first, lost) = join_all(lost).await.swap_remove(0);
    let status = lost.status.unwrap();
    let hint = problem(&status, reasons::CLAIM_LOST)
        .unwrap()
        .hint
        .clone()
        .unwrap();
    assert!(hint.contains(&format!("idp.dev/recreate={first}")), "{hint}");
    stays(Duration::from_secs(3), "no claim is created again", || async {
        let claims = lab.claim_names(&namespace).await;
        ensure!(claims.is_empty(), "{claims:?}");
        Ok(())
    })
    .await;
    let patch = json!({ "metadata": { "annotations": { "idp.dev/recreate": first } } });
    lab.bindings(&namespace)
        .patch("shop-orders", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    let again = lab.until_ready(&namespace, "shop-orders").await.status.unwrap();
    assert_ne!(again.claim.unwrap().uid, first);
    drop(broker);
    lab.clean(&namespace).await;
}

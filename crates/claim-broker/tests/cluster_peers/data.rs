//! Data outlive mistakes: what is kept, what comes back, and what it takes to delete.

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
    what_is_removed_is_kept_and_comes_back,
    deleting_takes_a_second_act_and_its_time,
    an_order_on_a_binding_that_is_taken_back_does_not_come_again,
    a_class_may_say_that_its_data_go_by_themselves,
    nobody_deletes_a_claim_by_mistake_not_even_with_its_namespace,
    a_claim_that_somebody_deleted_is_not_made_anew_empty,
}

async fn uid(lab: &Lab, namespace: &str, name: &str) -> String {
    lab.claims(namespace).get(name).await.unwrap().uid().unwrap()
}

async fn is_there(lab: &Lab, namespace: &str, name: &str, uid: &str) -> Result<()> {
    let claim = lab.claims(namespace).get(name).await?;
    ensure!(
        claim.uid().as_deref() == Some(uid) && claim.metadata.deletion_timestamp.is_none(),
        "another, or going"
    );
    Ok(())
}

async fn is_gone(lab: &Lab, namespace: &str, name: &str) -> Result<()> {
    let claim = lab.claims(namespace).get_opt(name).await?;
    ensure!(claim.is_none(), "{:?}", claim.map(|claim| claim.metadata));
    Ok(())
}

fn marked(claim: &kube::api::DynamicObject) -> bool {
    claim.annotations().contains_key(annotations::RELEASED_AT)
}

async fn what_is_removed_is_kept_and_comes_back(lab: Lab) {
    let namespace = lab.test.namespace("kept").await.unwrap();
    let class = lab.class(&namespace, json!({ "gracePeriod": "1s" })).await;
    let broker = lab.broker("kept").await;
    let wish = binding(&namespace, &class, "shop", "orders");
    lab.bind(&wish).await;
    lab.until_ready(&namespace, "shop-orders").await;
    let first = uid(&lab, &namespace, "shop-orders").await;

    // Removed from the application: the binding goes on as released.
    lab.patch_binding(&namespace, "shop-orders", json!({ "spec": { "released": true } }))
        .await
        .unwrap();
    let released = lab
        .until(&namespace, "shop-orders", "it is released", |status| {
            status.tombstone.is_some()
        })
        .await;
    let status = released.status.unwrap();
    assert_eq!(status.phase, Some(ClaimPhase::Released));
    assert!(
        is_ready(&status) && status.version.is_some(),
        "nobody must wait for it: {status:#?}"
    );
    assert!(marked(&lab.claims(&namespace).get("shop-orders").await.unwrap()));
    // Its time is over, and nobody has said that it may go.
    stays(Duration::from_secs(5), "the claim", || {
        is_there(&lab, &namespace, "shop-orders", &first)
    })
    .await;

    // Named again.
    lab.patch_binding(
        &namespace,
        "shop-orders",
        json!({ "spec": { "released": false } }),
    )
    .await
    .unwrap();
    lab.until_ready(&namespace, "shop-orders").await;
    eventually("the marks are off", || async {
        ensure!(
            !marked(&lab.claims(&namespace).get("shop-orders").await?),
            "marked"
        );
        Ok(())
    })
    .await;

    // The application goes, and its binding with it.
    lab.bindings(&namespace)
        .delete("shop-orders", &DeleteParams::background())
        .await
        .unwrap();
    eventually("the binding goes", || async {
        ensure!(
            lab.bindings(&namespace).get_opt("shop-orders").await?.is_none(),
            "there"
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
    let class_status = eventually("the class counts it", || async {
        let status = lab.classes().get(&class).await?.status.unwrap_or_default();
        ensure!(status.kept == 1, "{status:?}");
        Ok(status)
    })
    .await;
    assert!(class_status.problems.is_empty(), "{class_status:?}");

    // The application comes back, and has its data.
    lab.bind(&wish).await;
    lab.until_ready(&namespace, "shop-orders").await;
    is_there(&lab, &namespace, "shop-orders", &first).await.unwrap();
    eventually("the marks are off", || async {
        ensure!(
            !marked(&lab.claims(&namespace).get("shop-orders").await?),
            "marked"
        );
        Ok(())
    })
    .await;

    // Another application does not get them.
    lab.bindings(&namespace)
        .delete("shop-orders", &DeleteParams::background())
        .await
        .unwrap();
    eventually("the binding goes", || async {
        ensure!(
            lab.bindings(&namespace).get_opt("shop-orders").await?.is_none(),
            "there"
        );
        Ok(())
    })
    .await;
    let mut other = binding(&namespace, &class, "other", "orders");
    other.metadata.name = Some("shop-orders".into());
    lab.bind(&other).await;
    lab.until(&namespace, "shop-orders", "it is refused", |status| {
        problem(status, reasons::NAME_TAKEN).is_some()
    })
    .await;
    is_there(&lab, &namespace, "shop-orders", &first).await.unwrap();
    drop(broker);
    lab.clean(&namespace).await;
}

async fn deleting_takes_a_second_act_and_its_time(lab: Lab) {
    let namespace = lab.test.namespace("second").await.unwrap();
    let class = lab.class(&namespace, json!({ "gracePeriod": "6s" })).await;
    let broker = lab.broker("second").await;
    lab.bind(&binding(&namespace, &class, "shop", "orders")).await;
    lab.bind(&binding(&namespace, &class, "shop", "users")).await;
    lab.until_ready(&namespace, "shop-orders").await;
    lab.until_ready(&namespace, "shop-users").await;
    let order = |name: &str| json!({ "metadata": { "annotations": { "idp.dev/delete-data": name } } });

    // An order for what is in use is told, and not carried out, now or later.
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

    // Released, and ordered under a wrong name.
    let first = uid(&lab, &namespace, "shop-orders").await;
    lab.patch_binding(&namespace, "shop-orders", json!({ "spec": { "released": true } }))
        .await
        .unwrap();
    lab.patch_binding(&namespace, "shop-orders", order("orders"))
        .await
        .unwrap();
    stays(Duration::from_secs(9), "the claim", || {
        is_there(&lab, &namespace, "shop-orders", &first)
    })
    .await;

    // Ordered, taken back, and ordered again: through the binding, as an annotation.
    data::delete(&lab.client(), &lab.way.kinds(), &namespace, "shop-users")
        .await
        .unwrap_err();
    lab.patch_binding(&namespace, "shop-orders", order("shop-orders"))
        .await
        .unwrap();
    eventually("the data go", || is_gone(&lab, &namespace, "shop-orders")).await;
    let deleted = lab
        .until(&namespace, "shop-orders", "it says so", |status| {
            status.phase == Some(ClaimPhase::Deleted)
        })
        .await;
    assert!(is_ready(&deleted.status.unwrap()));
    stays(Duration::from_secs(3), "it is not made anew", || {
        is_gone(&lab, &namespace, "shop-orders")
    })
    .await;

    // Without its binding: by the command line's functions, within the grace period, and taken back in time.
    let second = uid(&lab, &namespace, "shop-users").await;
    lab.bindings(&namespace)
        .delete("shop-users", &DeleteParams::background())
        .await
        .unwrap();
    eventually("the claim is marked", || async {
        ensure!(
            marked(&lab.claims(&namespace).get("shop-users").await?),
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
    stays(Duration::from_secs(10), "the claim", || {
        is_there(&lab, &namespace, "shop-users", &second)
    })
    .await;
    data::delete(&lab.client(), &lab.way.kinds(), &namespace, "shop-users")
        .await
        .unwrap();
    eventually("the data go", || is_gone(&lab, &namespace, "shop-users")).await;
    assert!(
        broker
            .controller
            .log()
            .contains("the grace period is over; the deletion was requested")
    );
    drop(broker);
    lab.clean(&namespace).await;
}

async fn an_order_on_a_binding_that_is_taken_back_does_not_come_again(lab: Lab) {
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
    lab.until(&namespace, "shop-orders", "its deletion is planned", is_ordered)
        .await;
    data::undelete(&lab.client(), &lab.way.kinds(), &namespace, "shop-orders")
        .await
        .unwrap();
    lab.until(&namespace, "shop-orders", "it is kept", |status| {
        status.tombstone.is_some() && !is_ordered(status)
    })
    .await;
    stays(Duration::from_secs(3), "the order is taken back", || async {
        let claim = lab.claims(&namespace).get("shop-orders").await?;
        ensure!(
            !claim.annotations().contains_key(annotations::DELETE_DATA),
            "again"
        );
        anyhow::Ok(())
    })
    .await;

    // By the command line: the name is said twice, or nothing happens.
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
    lab.until(&namespace, "shop-orders", "its deletion is planned", is_ordered)
        .await;
    let list = ["data", "list", "-n", &namespace];
    let said = idp_cli(&lab.test.cluster, &list, "").await.unwrap();
    assert!(said.output.contains("deleted after"), "{said:?}");
    drop(broker);
    lab.clean(&namespace).await;
}

async fn a_class_may_say_that_its_data_go_by_themselves(lab: Lab) {
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
    eventually("the data go", || is_gone(&lab, &namespace, "shop-cache")).await;
    drop(broker);
    lab.clean(&namespace).await;
}

async fn nobody_deletes_a_claim_by_mistake_not_even_with_its_namespace(lab: Lab) {
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
    eventually("the namespace says what keeps it", || async {
        let status = namespaces.get(&namespace).await?.status.unwrap_or_default();
        let conditions = serde_json::to_string(&status.conditions)?;
        ensure!(conditions.contains("holds data"), "{conditions}");
        Ok::<_, anyhow::Error>(())
    })
    .await;
    eventually("the binding goes", || async {
        ensure!(
            lab.bindings(&namespace).get_opt("shop-orders").await?.is_none(),
            "there"
        );
        Ok(())
    })
    .await;
    let claim = lab.claims(&namespace).get("shop-orders").await.unwrap();
    assert!(
        marked(&claim) && claim.uid() == Some(first),
        "{:?}",
        claim.metadata
    );
    data::delete(&lab.client(), &lab.way.kinds(), &namespace, "shop-orders")
        .await
        .unwrap();
    eventually("the namespace goes, once somebody has said so", || async {
        ensure!(namespaces.get_opt(&namespace).await?.is_none(), "there");
        Ok(())
    })
    .await;
    drop(broker);
    lab.clean(&namespace).await;
}

async fn a_claim_that_somebody_deleted_is_not_made_anew_empty(lab: Lab) {
    let namespace = lab.test.namespace("lost").await.unwrap();
    let class = lab.class(&namespace, json!({})).await;
    let broker = lab.broker("lost").await;
    // Deleted in the very moment in which they become ready, when the broker may be planning with what it has just seen.
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
    stays(Duration::from_secs(3), "none is made anew", || async {
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

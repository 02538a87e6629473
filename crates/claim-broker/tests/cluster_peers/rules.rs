//! Quotas, allowed namespaces, changes of classes, and immutable fields.

use idp_api::{WebApplication, claim_binding::ClaimPhase};
use idp_claim_broker::reasons;
use idp_testkit::{eventually, fixtures::app};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::support::{Lab, binding, both_ways, err, problem};

both_ways! {
    a_quota_admits_the_oldest_and_the_next_when_one_is_deleted,
    a_class_serves_only_the_namespaces_that_it_selects,
    a_changed_class_changes_its_claims_and_a_deleted_one_leaves_them,
    immutable_fields_are_rejected_by_the_api_server_with_a_way_out,
}

async fn a_quota_admits_the_oldest_and_the_next_when_one_is_deleted(lab: Lab) {
    let namespace = lab.test.namespace("quota").await.unwrap();
    let class = lab
        .class(
            &namespace,
            json!({ "quota": { "perNamespace": 2 }, "gracePeriod": "1s" }),
        )
        .await;
    for name in ["a", "b", "c"] {
        lab.bind(&binding(&namespace, &class, "shop", name)).await;
    }
    let broker = lab.broker("quota").await;
    lab.until_ready(&namespace, "shop-a").await;
    lab.until_ready(&namespace, "shop-b").await;
    let refused = lab
        .until(&namespace, "shop-c", "the third exceeds the quota", |status| {
            problem(status, reasons::QUOTA_EXCEEDED).is_some()
        })
        .await;
    assert_eq!(refused.status.unwrap().phase, Some(ClaimPhase::Pending));
    // Kept data counts; once it is deleted, the next binding proceeds without help.
    lab.patch_binding(&namespace, "shop-a", json!({ "spec": { "released": true } }))
        .await
        .unwrap();
    lab.until(&namespace, "shop-a", "the claim is released", |status| {
        status.phase == Some(ClaimPhase::Released)
    })
    .await;
    assert_eq!(lab.claim_names(&namespace).await, ["shop-a", "shop-b"]);
    lab.patch_binding(
        &namespace,
        "shop-a",
        json!({ "metadata": { "annotations": { "idp.dev/delete-data": "shop-a" } } }),
    )
    .await
    .unwrap();
    lab.until_ready(&namespace, "shop-c").await;
    assert_eq!(lab.claim_names(&namespace).await, ["shop-b", "shop-c"]);
    drop(broker);
    lab.clean(&namespace).await;
}

async fn a_class_serves_only_the_namespaces_that_it_selects(lab: Lab) {
    let namespace = lab.test.namespace("allowed").await.unwrap();
    let class = lab
        .class(
            &namespace,
            json!({ "namespaces": { "matchLabels": { "tier": "gold" } } }),
        )
        .await;
    let broker = lab.broker("allowed").await;
    // Several, because some are being reconciled when the namespace gets its label.
    let others = ["users", "carts", "stock", "mails", "audit"];
    for name in ["orders"].iter().chain(&others) {
        lab.bind(&binding(&namespace, &class, "shop", name)).await;
    }
    lab.until(&namespace, "shop-orders", "the class is not allowed", |status| {
        problem(status, reasons::CLASS_NOT_ALLOWED).is_some()
    })
    .await;
    let patch = json!({ "metadata": { "labels": { "tier": "gold" } } });
    Api::<Namespace>::all(lab.client())
        .patch(&namespace, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    lab.until_ready(&namespace, "shop-orders").await;
    for name in others {
        lab.until_ready(&namespace, &format!("shop-{name}")).await;
    }
    // When the label is removed again, existing claims stay.
    let patch = json!({ "metadata": { "labels": { "tier": null } } });
    Api::<Namespace>::all(lab.client())
        .patch(&namespace, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    lab.patch_binding(&namespace, "shop-orders", json!({ "spec": { "size": "large" } }))
        .await
        .unwrap();
    lab.until_ready(&namespace, "shop-orders").await;
    drop(broker);
    lab.clean(&namespace).await;
}

async fn a_changed_class_changes_its_claims_and_a_deleted_one_leaves_them(lab: Lab) {
    let namespace = lab.test.namespace("class").await.unwrap();
    let class = lab.class(&namespace, json!({})).await;
    let broker = lab.broker("class").await;
    lab.bind(&binding(&namespace, &class, "shop", "orders")).await;
    lab.until_ready(&namespace, "shop-orders").await;
    lab.class(&namespace, json!({ "sizes": { "small": { "gb": 40 } } }))
        .await;
    eventually("the claim is changed", || async {
        let claim = lab.claims(&namespace).get("shop-orders").await.unwrap();
        if claim.data["spec"]["parameters"]["storageGB"] == 40 {
            Ok(())
        } else {
            Err(claim.data["spec"].to_string())
        }
    })
    .await;

    let patch = |patch: serde_json::Value| {
        let classes = lab.classes();
        let class = class.clone();
        async move {
            classes
                .patch(&class, &PatchParams::default(), &Patch::Merge(&patch))
                .await
        }
    };
    let refused = err(patch(json!({ "spec": { "resource": { "kind": "Aurora" } } })).await);
    assert!(refused.contains("create a class with another name"), "{refused}");
    patch(json!({ "spec": { "template": { "parameters": { "storageGB": "{size.typo}" } } } }))
        .await
        .unwrap();
    lab.until(
        &namespace,
        "shop-orders",
        "the binding reports the invalid class",
        |status| problem(status, reasons::CLASS_INVALID).is_some(),
    )
    .await;
    eventually("the class has the problem too", || async {
        let status = lab
            .classes()
            .get(&class)
            .await
            .unwrap()
            .status
            .unwrap_or_default();
        if status
            .problems
            .iter()
            .any(|problem| problem.message.contains("{size.typo}"))
        {
            Ok(())
        } else {
            Err(format!("{status:?}"))
        }
    })
    .await;

    lab.classes()
        .delete(&class, &DeleteParams::default())
        .await
        .unwrap();
    let left = lab
        .until(
            &namespace,
            "shop-orders",
            "the binding reports the missing class",
            |status| problem(status, reasons::CLASS_MISSING).is_some(),
        )
        .await;
    let status = left.status.unwrap();
    assert!(
        status.version.is_some() && status.claim.is_some(),
        "the existing claim stays: {status:#?}"
    );
    assert_eq!(lab.claim_names(&namespace).await, ["shop-orders"]);
    drop(broker);
    lab.clean(&namespace).await;
}

async fn immutable_fields_are_rejected_by_the_api_server_with_a_way_out(lab: Lab) {
    let namespace = lab.test.namespace("fixed").await.unwrap();
    let class = lab.class(&namespace, json!({})).await;
    lab.bind(&binding(&namespace, &class, "shop", "orders")).await;
    for (field, value) in [
        ("engine", "mysql"),
        ("class", "other"),
        ("application", "other"),
        ("name", "other"),
    ] {
        let refused = err(lab
            .patch_binding(&namespace, "shop-orders", json!({ "spec": { field: value } }))
            .await);
        let way_out = if ["engine", "class"].contains(&field) {
            "copy the data"
        } else {
            "cannot change"
        };
        assert!(refused.contains(way_out), "{field}: {refused}");
    }
    let apps = Api::<WebApplication>::namespaced(lab.client(), &namespace);
    let mut shop = app(&namespace, "shop");
    shop.spec.databases = serde_json::from_value(
        json!([{ "name": "a", "engine": "redis" }, { "name": "b", "engine": "postgres" }]),
    )
    .unwrap();
    apps.create(&PostParams::default(), &shop).await.unwrap();
    let change = |databases: serde_json::Value| {
        let apps = apps.clone();
        async move {
            apps.patch(
                "shop",
                &PatchParams::default(),
                &Patch::Merge(&json!({ "spec": { "databases": databases } })),
            )
            .await
        }
    };
    let refused =
        err(change(json!([{ "name": "a", "engine": "redis" }, { "name": "b", "engine": "mysql" }])).await);
    assert!(
        refused.contains("copy the data, then remove this one"),
        "{refused}"
    );
    // Reordering, removing one and adding one are allowed.
    change(
        json!([{ "name": "b", "engine": "postgres", "size": "large" }, { "name": "c", "engine": "mysql" }]),
    )
    .await
    .unwrap();
    lab.clean(&namespace).await;
}

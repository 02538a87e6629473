//! The broker is killed, or Crossplane is down: exactly one claim for each binding, and no orphans.

use std::{collections::BTreeSet, time::Duration};

use anyhow::ensure;
use idp_claim_broker::reasons;
use idp_cluster::{start_component, stop_component};
use idp_core::Kind;
use idp_testkit::{audit::Request, eventually, eventually_within};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams},
};
use serde_json::json;

use crate::support::{Lab, SHORT, binding, both_ways, cloud, condition, problem, work};

both_ways! {
    a_broker_killed_after_any_request_leaves_one_claim,
    a_crossplane_that_is_down_is_reported_and_catches_up,
    the_broker_sends_no_request_without_permission,
}

/// The names of the composite resources and of the machines of a namespace's claims.
async fn made(lab: &Lab, namespace: &str) -> (Vec<String>, Vec<String>) {
    let names = |list: kube::api::ObjectList<DynamicObject>| list.iter().map(ResourceExt::name_any).collect();
    let machine = cloud::kind(lab.way).api_resource();
    let Some(composite) = lab.way.composites().first().map(Kind::api_resource) else {
        // The broker creates the composite resource itself, and everything is in the namespace.
        let machines = Api::<DynamicObject>::namespaced_with(lab.client(), namespace, &machine);
        let machines = machines.list(&ListParams::default()).await.unwrap();
        return (lab.claim_names(namespace).await, names(machines));
    };
    let params = ListParams::default().labels(&format!("crossplane.io/claim-namespace={namespace}"));
    let composites = Api::<DynamicObject>::all_with(lab.client(), &composite);
    let machines = Api::<DynamicObject>::all_with(lab.client(), &machine);
    (
        names(composites.list(&params).await.unwrap()),
        names(machines.list(&params).await.unwrap()),
    )
}

fn writes<'a>(requests: &'a [Request], name: &str) -> Vec<&'a Request> {
    let all = work(requests).into_iter();
    all.filter(|request| request.name == name && request.verb != "list")
        .collect()
}

async fn a_broker_killed_after_any_request_leaves_one_claim(lab: Lab) {
    let namespace = lab.test.namespace("crash").await.unwrap();
    let class = lab.class(&namespace, json!({})).await;
    let mut shown = BTreeSet::new();
    let mut survived = 0;
    for number in 1..=12 {
        let name = format!("shop-db{number}");
        let audit = lab.audit();
        let broker = lab.broker(&format!("crash-{number}")).await;
        lab.bind(&binding(&namespace, &class, "shop", &format!("db{number}")))
            .await;
        let seen = eventually_within(SHORT, "enough requests, or the claim is ready", || async {
            let requests = audit.requests()?;
            let seen = writes(&requests, &name);
            let ready = || async {
                let status = lab
                    .bindings(&namespace)
                    .get(&name)
                    .await?
                    .status
                    .unwrap_or_default();
                anyhow::Ok(status.version.is_some())
            };
            ensure!(seen.len() >= number || ready().await?, "{} requests", seen.len());
            Ok(seen.into_iter().cloned().collect::<Vec<_>>())
        })
        .await;
        broker.controller.kill().unwrap();
        let last = seen
            .last()
            .map(|request| format!("{} {}", request.verb, request.resource))
            .unwrap_or_default();
        shown.insert(format!("after {} of {number}: {last}", seen.len()));
        let successor = lab.broker(&format!("crash-{number}-next")).await;
        lab.until_ready(&namespace, &name).await;
        drop(successor);
        survived += 1;
        if seen.len() < number {
            break;
        }
    }
    let names: Vec<String> = lab.claim_names(&namespace).await;
    let (composites, machines) = made(&lab, &namespace).await;
    assert_eq!(
        (names.len(), composites.len(), machines.len()),
        (survived, survived, survived),
        "{composites:?} {machines:?}"
    );
    assert!(
        survived >= 4,
        "a creation takes at least four requests: {shown:?}"
    );
    eprintln!("crash: {shown:?}");
    lab.clean(&namespace).await;
}

async fn a_crossplane_that_is_down_is_reported_and_catches_up(lab: Lab) {
    let namespace = lab.test.namespace("down").await.unwrap();
    let class = lab.class(&namespace, json!({})).await;
    let broker = lab.broker("down").await;
    lab.bind(&binding(&namespace, &class, "shop", "before")).await;
    lab.until_ready(&namespace, "shop-before").await;
    stop_component(&lab.test.cluster, "crossplane").await.unwrap();
    lab.bind(&binding(&namespace, &class, "shop", "orders")).await;
    lab.until(
        &namespace,
        "shop-orders",
        "the binding waits for Crossplane",
        |status| {
            condition(status, "Reconciling").is_some_and(|condition| condition.reason == "WaitsForCrossplane")
        },
    )
    .await;
    let told = lab
        .until_within(
            Duration::from_secs(150),
            &namespace,
            "shop-orders",
            "Crossplane is reported as unreachable",
            |status| problem(status, reasons::CROSSPLANE_UNREACHABLE).is_some(),
        )
        .await;
    assert!(
        condition(&told.status.unwrap(), "Synced").unwrap().is_true(),
        "the claim is created nevertheless"
    );
    let before = lab
        .bindings(&namespace)
        .get("shop-before")
        .await
        .unwrap()
        .status
        .unwrap();
    assert!(
        before.problems.is_empty(),
        "bindings that work are not affected: {before:#?}"
    );
    start_component(&lab.test.cluster, "crossplane").await.unwrap();
    let ready = lab.until_ready(&namespace, "shop-orders").await;
    assert!(ready.status.unwrap().problems.is_empty());
    drop(broker);
    lab.clean(&namespace).await;
}

async fn the_broker_sends_no_request_without_permission(lab: Lab) {
    let namespace = lab.test.namespace("rights").await.unwrap();
    let class = lab.class(&namespace, json!({ "gracePeriod": "1s" })).await;
    let audit = lab.audit();
    let broker = lab.broker_with("rights", &[]).await;
    lab.bind(&binding(&namespace, &class, "shop", "orders")).await;
    lab.until_ready(&namespace, "shop-orders").await;
    lab.patch_binding(
        &namespace,
        "shop-orders",
        json!({ "spec": { "released": true },
        "metadata": { "annotations": { "idp.dev/delete-data": "shop-orders" } } }),
    )
    .await
    .unwrap();
    eventually("the data is deleted", || async {
        ensure!(
            lab.claims(&namespace).get_opt("shop-orders").await?.is_none(),
            "the claim still exists"
        );
        Ok(())
    })
    .await;
    assert!(broker.controller.stop().await.unwrap(), "the exit code is 0");
    let requests = audit.requests().unwrap();
    let ours = requests
        .iter()
        .filter(|request| request.user.ends_with(":idp-claim-broker"));
    let refused: Vec<_> = ours.clone().filter(|request| !request.allowed).collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert!(
        !ours.clone().any(|request| request.resource == "secrets"),
        "the broker never requests a Secret"
    );
    assert!(
        ours.clone().any(|request| request.verb == "delete"),
        "the permission to delete is used"
    );
    lab.clean(&namespace).await;
}

//! A controller without work sends no requests, and one that restarts writes nothing.

use std::{collections::BTreeMap, time::Duration};

use idp_core::Kind;
use idp_runtime::Reconcile;
use idp_testkit::{Controller, fixtures::typical};
use idp_webapp::controller::WebApplicationController;
use k8s_openapi::api::core::v1::Service;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::support::{LONG, Lab, SETTLING, work};

const COUNT: usize = 200;
const QUIET: Duration = Duration::from_secs(60);
/// Longer than the autoscaler controller's period of 15 s, with its queue of 200 objects.
const OTHERS_PERIOD: Duration = Duration::from_secs(25);

/// Requests that only our controller sends, according to the API server: every server-side apply, and all requests
/// for our own API group except watches.
async fn counted(lab: &Lab) -> f64 {
    let request = http::Request::get("/metrics")
        .body(Vec::new())
        .expect("a request");
    let text = lab.test.client.request_text(request).await.expect("metrics");
    text.lines()
        .filter(|line| line.starts_with("apiserver_request_total{"))
        .filter(|line| {
            line.contains("verb=\"APPLY\"")
                || (line.contains("group=\"idp.dev\"") && !line.contains("verb=\"WATCH\""))
        })
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

async fn versions(lab: &Lab, namespace: &str) -> BTreeMap<(Kind, String), String> {
    let objects = lab.objects(namespace).await.expect("lists");
    objects
        .into_iter()
        .map(|(key, object)| (key, object.resource_version().unwrap_or_default()))
        .collect()
}

/// Waits until no writer changes anything, and returns the versions. The autoscaler controller visits its objects
/// periodically, and writes a status at the first visit.
async fn still(lab: &Lab, namespace: &str) -> BTreeMap<(Kind, String), String> {
    let began = std::time::Instant::now();
    let mut before = versions(lab, namespace).await;
    loop {
        tokio::time::sleep(OTHERS_PERIOD).await;
        let after = versions(lab, namespace).await;
        if after == before {
            return after;
        }
        assert!(began.elapsed() < LONG, "another writer never stops");
        before = after;
    }
}

/// The number of reconciles, from the controller's own metric.
async fn reconciles(controller: &Controller) -> f64 {
    let (_, text) = controller.get("/metrics").await.expect("metrics");
    text.lines()
        .filter(|line| line.starts_with("controller_runtime_reconcile_total{"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// A Service with the label of a capability, created and changed repeatedly by a tenant in their own namespace.
async fn pose_as_capability(lab: &Lab, namespace: &str) {
    let services: Api<Service> = Api::namespaced(lab.client(), namespace);
    let service = json!({
        "metadata": { "name": "poser", "labels": { "idp.dev/capability": "claims" } },
        "spec": { "selector": { "app": "poser" }, "ports": [{ "port": 443 }] },
    });
    let service = serde_json::from_value(service).expect("a Service");
    services
        .create(&PostParams::default(), &service)
        .await
        .expect("created");
    for port in 0..20 {
        let patch = json!({ "spec": { "ports": [{ "port": 8000 + port }] } });
        services
            .patch("poser", &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .expect("changed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quiet_when_nothing_changes_and_after_a_restart() {
    let lab = Lab::enter().await;
    let namespace = lab.test.namespace("quiet").await.unwrap();
    let controller = lab.leader("quiet-first").await;
    lab.create(
        (0..COUNT)
            .map(|number| typical(&namespace, &format!("app-{number}")))
            .collect(),
    )
    .await;
    lab.all_ready(&namespace, COUNT).await;
    lab.settled().await;
    let first = still(&lab, &namespace).await;

    let (audit, before) = (lab.audit(), counted(&lab).await);
    tokio::time::sleep(QUIET).await;
    let asked = counted(&lab).await - before;
    let requests = audit.requests().unwrap();
    assert!(
        work(&requests).is_empty(),
        "a quiet minute: {:?}",
        work(&requests)
    );
    assert!(
        asked.abs() < 0.5,
        "a quiet minute: the API server counted {asked} requests"
    );
    assert!(
        requests.iter().any(|request| request.resource == "leases"),
        "the audit log works"
    );
    eprintln!(
        "quiet: {} applications, {} objects, {} lease requests in a minute",
        COUNT,
        first.len(),
        requests.len()
    );

    let audit = lab.audit();
    assert!(controller.stop().await.unwrap(), "it ends well");
    let controller = lab.leader("quiet-second").await;
    lab.settled().await;
    let requests = audit.requests().unwrap();
    let writes: Vec<_> = work(&requests)
        .into_iter()
        .filter(|request| !["get", "list"].contains(&request.verb.as_str()))
        .collect();
    assert!(writes.is_empty(), "after a restart: {writes:?}");
    let second = versions(&lab, &namespace).await;
    let changed: Vec<_> = first
        .iter()
        .filter(|(key, version)| second.get(key) != Some(version))
        .collect();
    assert!(
        changed.is_empty() && first.len() == second.len(),
        "after a restart: {changed:?}"
    );
    // One request for each kind, however many objects it has.
    let lists = requests.iter().filter(|request| request.verb == "list").count();
    let watches = requests.iter().filter(|request| request.verb == "watch").count();
    let kinds = WebApplicationController::default().watches().len() + 1;
    assert_eq!(lists, 0, "after a restart: {requests:?}");
    assert!(
        watches <= kinds,
        "{watches} watches of {kinds} kinds: {requests:?}"
    );
    eprintln!(
        "restart: {} requests for {kinds} kinds, none a write",
        requests.len()
    );

    let before = reconciles(&controller).await;
    assert!(before > 0.5, "it counts");
    pose_as_capability(&lab, &namespace).await;
    tokio::time::sleep(SETTLING).await;
    let woken = reconciles(&controller).await - before;
    assert!(
        woken.abs() < 0.5,
        "a Service of a tenant woke {woken} applications of {COUNT}"
    );

    lab.clean(&namespace).await;
    lab.settled().await;
    controller.stop().await.unwrap();
}

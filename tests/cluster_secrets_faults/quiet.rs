//! Refreshes of External Secrets cause no requests of our controllers.

use std::{collections::BTreeMap, time::Duration};

use idp_testkit::{NAMESPACE, audit::Request, eventually_within};
use idp_tests::{BRIDGE, EXTERNAL_SECRET};
use kube::{ResourceExt, api::ListParams};
use serde_json::json;

use crate::{alone, with_secret};

const COUNT: usize = 50;
const QUIET: Duration = Duration::from_secs(30);
const SETTLING: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_without_changes_cause_no_requests() {
    let alone = alone().await;
    let lab = alone.lab("quiet").await;
    let pair = alone.pair(&[]).await;
    let names: Vec<String> = (0..COUNT).map(|number| format!("app-{number}")).collect();
    lab.put_all(&names, "db", &json!({ "password": "p" })).await;
    for name in &names {
        lab.create(name, with_secret()).await;
    }
    lab.all_ready(COUNT, LONG).await;
    eventually_within(LONG, "all applications are settled", || async {
        let audit = alone.audit();
        tokio::time::sleep(SETTLING).await;
        let asked = work(&audit.requests().unwrap());
        asked
            .is_empty()
            .then_some(())
            .ok_or(format!("{:?}", asked.last()))
    })
    .await;

    let (audit, before) = (alone.audit(), refreshed(&lab).await);
    tokio::time::sleep(QUIET).await;
    let requests = audit.requests().unwrap();
    let after = refreshed(&lab).await;
    let asked = work(&requests);
    assert!(asked.is_empty(), "requests in a quiet half minute: {asked:?}");
    for name in [BRIDGE, "idp-webapp"] {
        let user = format!("system:serviceaccount:{NAMESPACE}:{name}");
        let heard = requests.iter().any(|request| request.user == user);
        assert!(heard, "the audit log contains no request of {name}");
    }
    assert_eq!(before.len(), COUNT);
    let same = before
        .iter()
        .filter(|(name, time)| after.get(*name) == Some(time));
    assert_eq!(same.count(), 0, "External Secrets has not refreshed all of them");
    pair.stop().await;
    lab.end_and_wait().await;
}

/// Requests other than those of leader election and the (re)starts of watches.
fn work(requests: &[Request]) -> Vec<Request> {
    let ours = requests
        .iter()
        .filter(|request| request.user.starts_with("system:serviceaccount:idp-system:"));
    ours.filter(|request| request.resource != "leases" && request.verb != "watch")
        .cloned()
        .collect()
}

/// Time of the last refresh of each ExternalSecret.
async fn refreshed(lab: &idp_tests::Lab) -> BTreeMap<String, String> {
    let listed = lab.objects(EXTERNAL_SECRET).list(&ListParams::default()).await;
    let time = |object: &kube::core::DynamicObject| object.data["status"]["refreshTime"].to_string();
    let listed = listed.unwrap().items.into_iter();
    listed.map(|object| (object.name_any(), time(&object))).collect()
}

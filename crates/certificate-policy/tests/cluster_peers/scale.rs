//! Many bindings at once.

use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::{StreamExt, stream};
use idp_testkit::{audit::Audit, eventually_within};
use serde_json::json;

use crate::lab::{Lab, is_ready};

/// The number of bindings.
const BINDINGS: usize = 500;
/// Most of the time is cert-manager's, which sends about ten requests for each certificate.
const PATIENCE: Duration = Duration::from_secs(1200);

#[tokio::test]
async fn five_hundred_bindings_at_once() {
    let lab = Lab::alone().await;
    lab.policy(json!({})).await;
    let audit = Audit::from_now(&lab.test.cluster.audit_log()).unwrap();
    let began = Instant::now();
    stream::iter(0..BINDINGS)
        .map(|number| {
            let lab = &lab;
            async move {
                let host = lab.host(&format!("n{number}"));
                lab.bind(&lab.ns, &format!("app-{number}"), &[&host]).await;
            }
        })
        .buffer_unordered(16)
        .collect::<()>()
        .await;
    let created = began.elapsed();
    eventually_within(PATIENCE, "the Certificates exist", || async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let ordered = lab.ordered().await?;
        ensure!(ordered == BINDINGS, "{ordered}");
        Ok(())
    })
    .await;
    let ordered = began.elapsed();
    eventually_within(PATIENCE, "all certificates are issued", || async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let bindings = lab.bindings(&lab.ns).list(&Default::default()).await?;
        let ready = bindings.iter().filter(|binding| is_ready(binding)).count();
        ensure!(ready == BINDINGS, "{ready} of {BINDINGS}");
        Ok(())
    })
    .await;
    let requests = audit.requests().unwrap();
    let refused: Vec<_> = requests
        .iter()
        .filter(|request| request.user.ends_with(":idp-certificate-policy") && request.code == 403)
        .collect();
    assert!(refused.is_empty(), "the ClusterRole lacks a rule: {refused:?}");
    let ours = requests
        .iter()
        .filter(|request| request.resource != "leases" && request.verb != "watch");
    eprintln!(
        "{BINDINGS} bindings: created in {created:?}, all Certificates after {ordered:?}, all issued after {:?}, \
         {} requests of ours, {} MiB",
        began.elapsed(),
        ours.count(),
        lab.running().controller.resident_bytes().unwrap() >> 20
    );
    lab.clean().await;
}

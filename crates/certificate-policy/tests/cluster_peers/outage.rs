//! cert-manager goes and comes back; so does the controller.

use std::time::Duration;

use idp_cluster::stop_component;
use idp_testkit::{TestCluster, stays};
use serde_json::json;

use crate::lab::{self, LONG, Lab, SOON, is_ready, reasons};

#[tokio::test]
async fn cert_manager_goes_and_comes_back() {
    let lab = Lab::alone().await;
    lab.policy(json!({})).await;
    let (before, meanwhile) = (lab.host("before"), lab.host("meanwhile"));
    lab.bind(&lab.ns, "before", &[&before]).await;
    lab.binding_becomes(&lab.ns, "before", LONG, "it is issued", is_ready)
        .await;

    stop_component(&lab.test.cluster, "cert-manager").await.unwrap();
    lab.bind(&lab.ns, "meanwhile", &[&meanwhile]).await;
    // First it waits, and then it says for what.
    lab.binding_becomes(&lab.ns, "meanwhile", SOON, "it waits", |binding| {
        binding
            .status
            .as_ref()
            .is_some_and(|status| status.children.len() == 1)
    })
    .await;
    lab.binding_becomes(
        &lab.ns,
        "meanwhile",
        LONG,
        "it says what it waits for",
        |binding| reasons(binding) == ["IssuerNotResponding"],
    )
    .await;
    stays(Duration::from_secs(2), "what was issued stays", || async {
        let binding = lab.bindings(&lab.ns).get("before").await?;
        anyhow::ensure!(is_ready(&binding), "{}", json!(binding.status));
        Ok(())
    })
    .await;
    TestCluster::peers().await.expect("cert-manager is started again");
    let back = lab
        .binding_becomes(&lab.ns, "meanwhile", LONG, "it goes on by itself", is_ready)
        .await;
    assert!(reasons(&back).is_empty());
    lab.clean().await;
}

#[tokio::test]
async fn what_happens_while_the_controller_is_away_is_decided_once_it_is_back() {
    let mut lab = Lab::alone().await;
    lab.policy(json!({})).await;
    let tls = lab.kill();
    lab.certificate("good", json!({})).await;
    lab.certificate("bad", json!({"dnsNames": ["evil.test"]})).await;
    let host = lab.host("shop");
    lab.bind(&lab.ns, "shop", &[&host]).await;
    stays(Duration::from_secs(2), "nobody decides", || async {
        let requests = lab.requests(&lab.ns).list(&Default::default()).await?;
        let decided = |request: &idp_certificate_policy::certificate_request::types::CertificateRequest| {
            request.status.as_ref().is_some_and(|status| status.is_decided())
        };
        anyhow::ensure!(!requests.iter().any(decided), "somebody did");
        Ok(())
    })
    .await;
    let _controller = lab::start(&lab.test, &tls).await;
    lab.approved("good").await;
    assert_eq!(lab.denied("bad").await.0, "NameNotAllowed");
    lab.binding_becomes(&lab.ns, "shop", LONG, "it is issued", is_ready)
        .await;
    lab.clean().await;
}

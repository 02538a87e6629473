//! Outages of cert-manager and of the controller.

use std::time::Duration;

use idp_cluster::stop_component;
use idp_testkit::{TestCluster, stays};
use serde_json::json;

use crate::lab::{self, LONG, Lab, SOON, is_ready, reasons};

#[tokio::test]
async fn bindings_wait_while_cert_manager_is_down() {
    let lab = Lab::alone().await;
    lab.policy(json!({})).await;
    let (before, meanwhile) = (lab.host("before"), lab.host("meanwhile"));
    lab.bind(&lab.ns, "before", &[&before]).await;
    lab.binding_becomes(&lab.ns, "before", LONG, "the certificate is issued", is_ready)
        .await;

    stop_component(&lab.test.cluster, "cert-manager").await.unwrap();
    lab.bind(&lab.ns, "meanwhile", &[&meanwhile]).await;
    // The binding waits first, then reports what it waits for.
    lab.binding_becomes(&lab.ns, "meanwhile", SOON, "the binding waits", |binding| {
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
        "the binding reports what it waits for",
        |binding| reasons(binding) == ["IssuerNotResponding"],
    )
    .await;
    stays(Duration::from_secs(2), "issued certificates stay", || async {
        let binding = lab.bindings(&lab.ns).get("before").await?;
        anyhow::ensure!(is_ready(&binding), "{}", json!(binding.status));
        Ok(())
    })
    .await;
    TestCluster::certificates()
        .await
        .expect("cert-manager starts again");
    let back = lab
        .binding_becomes(
            &lab.ns,
            "meanwhile",
            LONG,
            "the binding becomes ready without help",
            is_ready,
        )
        .await;
    assert!(reasons(&back).is_empty());
    lab.clean().await;
}

#[tokio::test]
async fn requests_made_while_the_controller_is_down_are_decided_after_its_start() {
    let mut lab = Lab::alone().await;
    lab.policy(json!({})).await;
    let tls = lab.kill();
    lab.certificate("good", json!({})).await;
    lab.certificate("bad", json!({"dnsNames": ["evil.test"]})).await;
    let host = lab.host("shop");
    lab.bind(&lab.ns, "shop", &[&host]).await;
    stays(Duration::from_secs(2), "no request is decided", || async {
        let requests = lab.requests(&lab.ns).list(&Default::default()).await?;
        let decided = |request: &idp_certificate_policy::certificate_request::types::CertificateRequest| {
            request.status.as_ref().is_some_and(|status| status.is_decided())
        };
        anyhow::ensure!(!requests.iter().any(decided), "a request was decided");
        Ok(())
    })
    .await;
    let _controller = lab::start(&lab.test, &tls).await;
    lab.approved("good").await;
    assert_eq!(lab.denied("bad").await.0, "NameNotAllowed");
    lab.binding_becomes(&lab.ns, "shop", LONG, "the certificate is issued", is_ready)
        .await;
    lab.clean().await;
}

//! Certificates that no policy allows any more are reported, and keep working.

use anyhow::{Context, ensure};
use idp_testkit::eventually_within;
use serde_json::json;

use crate::lab::{LONG, Lab, SOON, is_ready, reasons};

#[tokio::test]
async fn a_narrower_policy_is_reported_and_breaks_nothing() {
    let lab = Lab::enter().await;
    lab.policy(json!({})).await;
    let host = lab.host("shop");
    lab.bind(&lab.ns, "shop", &[&host]).await;
    let issued = lab
        .binding_becomes(&lab.ns, "shop", LONG, "the certificate is issued", is_ready)
        .await
        .status
        .unwrap();
    lab.certificate("own", json!({})).await;
    let own = lab.issued(&lab.ns, "own-tls", LONG).await;
    let before = lab
        .issued(&lab.gateway, &issued.certificates[0].secret, SOON)
        .await;

    lab.policy(json!({"names": {"dns": {"exact": ["elsewhere.test"]}}}))
        .await;
    let policy = eventually_within(SOON, "the audit reports", || async {
        let policy = lab.policies().get(&lab.ns).await?;
        let status = policy.status.clone().context("no status")?;
        let certificates = status
            .violations
            .iter()
            .filter(|found| found.kind == "Certificate");
        ensure!(certificates.count() == 2, "{}", json!(status));
        Ok::<_, anyhow::Error>(policy)
    })
    .await;
    let status = policy.status.unwrap();
    assert!(
        status
            .violations
            .iter()
            .any(|found| found.kind == "CertificateRequest"),
        "{}",
        json!(status)
    );
    assert!(
        status
            .violations
            .iter()
            .all(|found| found.reason == "NameNotAllowed"),
        "{}",
        json!(status)
    );
    let compliant = status
        .conditions
        .iter()
        .find(|found| found.type_ == "Compliant")
        .unwrap();
    assert!(!compliant.is_true());
    let line = format!("idp_certificate_policy_violations{{policy=\"{}\"}} ", lab.ns);
    let (_, metrics) = lab.running().controller.get("/metrics").await.unwrap();
    let count = metrics
        .lines()
        .find_map(|found| found.strip_prefix(&line))
        .unwrap();
    assert_eq!(count, status.violation_count.unwrap().to_string());
    let expiry = format!(
        "idp_certificate_expiry_timestamp_seconds{{namespace=\"{}\",name=\"own\"}}",
        lab.ns
    );
    assert!(
        metrics.lines().any(|found| found.starts_with(&expiry)),
        "no {expiry}"
    );

    // Nothing breaks: the binding has a warning, and stays ready with its certificate.
    let warned = lab
        .binding_becomes(&lab.ns, "shop", SOON, "the binding has the warning", |binding| {
            reasons(binding) == ["NotAllowedAnyMore"] && is_ready(binding)
        })
        .await
        .status
        .unwrap();
    assert_eq!(warned.version, issued.version);
    assert_eq!(warned.children.len(), 1);
    assert_eq!(
        lab.issued(&lab.gateway, &issued.certificates[0].secret, SOON)
            .await,
        before
    );
    assert_eq!(lab.issued(&lab.ns, "own-tls", SOON).await, own);

    lab.policy(json!({})).await;
    eventually_within(SOON, "the policy has no violations any more", || async {
        let status = lab.policies().get(&lab.ns).await?.status.context("no status")?;
        ensure!(status.violation_count == Some(0), "{}", json!(status));
        ensure!(status.certificates == Some(2), "{}", json!(status));
        Ok::<_, anyhow::Error>(())
    })
    .await;
    lab.clean().await;
}

#[tokio::test]
async fn invalid_entries_are_reported_and_allow_nothing() {
    let lab = Lab::enter().await;
    lab.policy(json!({"names": {"dns": {"exact": ["a_b.test"], "suffixes": [lab.domain()]}}}))
        .await;
    let status = eventually_within(SOON, "the policy is not ready", || async {
        let status = lab.policies().get(&lab.ns).await?.status.context("no status")?;
        ensure!(!status.problems.is_empty(), "{}", json!(status));
        Ok::<_, anyhow::Error>(status)
    })
    .await;
    assert_eq!(
        status.problems[0].path.as_deref(),
        Some("spec.names.dns.exact[0]")
    );
    // The valid entries count.
    lab.certificate("good", json!({})).await;
    lab.approved("good").await;
    lab.clean().await;
}

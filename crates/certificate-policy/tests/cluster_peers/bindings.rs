//! A binding creates Certificates and shows their state.

use std::time::Duration;

use idp_certificate_policy::secret;
use idp_testkit::{eventually_within, stays};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::lab::{LONG, Lab, SOON, is_ready, reasons};

#[tokio::test]
async fn an_allowed_host_gets_a_certificate_in_its_secret() {
    let lab = Lab::enter().await;
    lab.policy(json!({})).await;
    let (shop, www) = (lab.host("shop"), lab.host("www"));
    lab.bind(&lab.ns, "shop", &[&shop, &www]).await;
    let binding = lab
        .binding_becomes(&lab.ns, "shop", LONG, "the binding is ready", |binding| {
            is_ready(binding) && revisions(binding, 1)
        })
        .await;
    let status = binding.status.unwrap();
    assert_eq!(status.version.as_deref(), Some("issued"));
    assert_eq!(status.children.len(), 2);
    assert_eq!(status.problems, []);
    for (state, host) in status.certificates.iter().zip([&shop, &www]) {
        assert_eq!((&state.host, &state.secret), (host, &secret::name(host)));
        assert_eq!(state.policy.as_deref(), Some(lab.ns.as_str()));
        assert_eq!(state.revision, Some(1));
        assert!(state.not_after.is_some() && state.renewal_time.is_some());
        let pem = lab.issued(&lab.gateway, &state.secret, SOON).await;
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
        let certificate = pem.parse_x509().unwrap();
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        assert_eq!(
            names.value.general_names,
            [x509_parser::extensions::GeneralName::DNSName(host)]
        );
        assert!(!certificate.is_ca());
    }
    // Deleting a binding deletes its Certificates, which are in another namespace and so have no owner reference.
    lab.bindings(&lab.ns)
        .delete("shop", &DeleteParams::default())
        .await
        .unwrap();
    eventually_within(LONG, "the Certificates are deleted", || async {
        let left = lab.ordered().await?;
        anyhow::ensure!(left == 0, "{left} remain");
        Ok(())
    })
    .await;
    lab.clean().await;
}

#[tokio::test]
async fn the_first_binding_of_a_host_keeps_it() {
    let lab = Lab::enter().await;
    let other = lab.test.namespace("rival").await.unwrap();
    let selectors = json!({"namespaces": [{"matchExpressions": [{
        "key": "kubernetes.io/metadata.name", "operator": "In", "values": [lab.ns, other],
    }]}]});
    lab.policy(selectors).await;
    let host = lab.host("shop");
    lab.bind(&lab.ns, "shop", &[&host]).await;
    lab.binding_becomes(&lab.ns, "shop", LONG, "the first binding is ready", is_ready)
        .await;
    lab.bind(&other, "thief", &[&host]).await;
    let refused = lab
        .binding_becomes(
            &other,
            "thief",
            SOON,
            "the second binding is rejected",
            |binding| reasons(binding) == ["HostTaken"],
        )
        .await;
    let problem = &refused.status.as_ref().unwrap().problems[0];
    assert!(problem.message.contains(&format!("{}/shop", lab.ns)), "{problem}");
    assert_eq!(problem.path.as_deref(), Some("spec.routes[0].host"));
    stays(
        Duration::from_secs(2),
        "the first binding keeps the host",
        || async {
            let binding = lab.bindings(&lab.ns).get("shop").await?;
            anyhow::ensure!(is_ready(&binding), "{}", json!(binding.status));
            Ok(())
        },
    )
    .await;
    lab.bindings(&lab.ns)
        .delete("shop", &DeleteParams::default())
        .await
        .unwrap();
    lab.binding_becomes(
        &other,
        "thief",
        LONG,
        "the second binding gets the host once it is free",
        is_ready,
    )
    .await;
    let _ = lab
        .bindings(&other)
        .delete("thief", &DeleteParams::default())
        .await;
    lab.binding_gone(&other, "thief").await;
    lab.test.delete_namespace(&other).await.unwrap();
    lab.clean().await;
}

#[tokio::test]
async fn a_wider_policy_lets_waiting_bindings_proceed_within_seconds() {
    let lab = Lab::enter().await;
    lab.policy(json!({"names": {"dns": {"exact": ["elsewhere.test"]}}}))
        .await;
    let host = lab.host("shop");
    lab.bind(&lab.ns, "shop", &[&host]).await;
    let waiting = lab
        .binding_becomes(&lab.ns, "shop", SOON, "the binding is rejected", |binding| {
            reasons(binding) == ["NameNotAllowed"]
        })
        .await;
    let status = waiting.status.unwrap();
    assert_eq!(status.version, None);
    assert!(
        status.problems[0].message.contains(&lab.ns),
        "{}",
        status.problems[0]
    );
    assert!(
        status.problems[0].message.contains("spec.names.dns"),
        "{}",
        status.problems[0]
    );
    lab.policy(json!({})).await;
    let began = std::time::Instant::now();
    lab.binding_becomes(&lab.ns, "shop", LONG, "the binding becomes ready", is_ready)
        .await;
    eprintln!("issued {:?} after the policy was widened", began.elapsed());
    lab.clean().await;
}

#[tokio::test]
async fn bindings_of_one_application_share_the_certificate_of_a_host() {
    let lab = Lab::enter().await;
    lab.policy(json!({})).await;
    let host = lab.host("shop");
    lab.bind(&lab.ns, "shop", &[&host]).await;
    lab.binding_becomes(&lab.ns, "shop", LONG, "the first binding is ready", is_ready)
        .await;
    let second = json!({
        "apiVersion": "idp.dev/v1alpha1", "kind": "CertificateBinding", "metadata": {"name": "shop-too"},
        "spec": lab.bindings(&lab.ns).get("shop").await.unwrap().spec,
    });
    lab.bindings(&lab.ns)
        .patch("shop-too", &PatchParams::apply("test"), &Patch::Apply(&second))
        .await
        .unwrap();
    let both = lab
        .binding_becomes(
            &lab.ns,
            "shop-too",
            LONG,
            "the second binding is ready too",
            is_ready,
        )
        .await;
    assert!(both.status.unwrap().children.is_empty());
    assert_eq!(lab.ordered().await.unwrap(), 1);
    lab.clean().await;
}

#[tokio::test]
async fn renewal_is_visible_and_changes_no_version() {
    let lab = Lab::enter().await;
    // cert-manager's shortest duration is an hour; renewBefore is 59 minutes and 50 seconds.
    lab.policy(json!({"lifetime": {"max": "1h"}})).await;
    let host = lab.host("shop");
    lab.bind(&lab.ns, "shop", &[&host]).await;
    let first = lab
        .binding_becomes(&lab.ns, "shop", LONG, "the certificate is issued", is_ready)
        .await
        .status
        .unwrap();
    lab.renew(&secret::name(&host)).await;
    let renewed = lab
        .binding_becomes(&lab.ns, "shop", LONG, "the certificate is renewed", |binding| {
            is_ready(binding) && revisions(binding, 2)
        })
        .await
        .status
        .unwrap();
    assert_eq!(renewed.version, first.version);
    lab.clean().await;
}

#[tokio::test]
async fn a_denied_renewal_is_retried_at_once_when_policies_allow_it() {
    let lab = Lab::enter().await;
    lab.policy(json!({})).await;
    let host = lab.host("shop");
    lab.bind(&lab.ns, "shop", &[&host]).await;
    lab.binding_becomes(&lab.ns, "shop", LONG, "the certificate is issued", is_ready)
        .await;
    let name = secret::name(&host);
    let first = lab.certificates(&lab.gateway).get(&name).await.unwrap();
    let issued = lab.issued(&lab.gateway, &name, SOON).await;
    lab.policy(json!({"names": {"dns": {"exact": ["elsewhere.test"]}}}))
        .await;
    lab.binding_becomes(&lab.ns, "shop", SOON, "the binding has the warning", |binding| {
        reasons(binding) == ["NotAllowedAnyMore"]
    })
    .await;
    lab.renew(&name).await;
    lab.binding_becomes(&lab.ns, "shop", LONG, "the renewal is denied", |binding| {
        is_ready(binding) && reasons(binding) == ["NotAllowedAnyMore", "NotRenewed"]
    })
    .await;
    // A Certificate is only created again if it is older than a minute.
    tokio::time::sleep(Duration::from_secs(61)).await;
    lab.policy(json!({})).await;
    lab.binding_becomes(
        &lab.ns,
        "shop",
        LONG,
        "the binding is ready without problems",
        |binding| is_ready(binding) && reasons(binding).is_empty(),
    )
    .await;
    let second = lab.certificates(&lab.gateway).get(&name).await.unwrap();
    assert_ne!(first.metadata.uid, second.metadata.uid);
    // The Secret existed all the time.
    assert_eq!(lab.issued(&lab.gateway, &name, SOON).await, issued);
    lab.clean().await;
}

/// Whether each certificate has been issued this many times.
fn revisions(binding: &idp_api::CertificateBinding, count: i64) -> bool {
    let mut states = binding.status.iter().flat_map(|status| &status.certificates);
    states.all(|state| state.revision == Some(count))
}

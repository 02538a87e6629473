//! Attacks on the approver, and on the bindings' Secrets.

use std::time::Duration;

use idp_certificate_policy::secret;
use idp_cluster::{Manifest, apply_manifests};
use idp_testkit::{eventually, stays};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, PostParams};
use serde_json::json;

use crate::{
    build::{self, Build},
    lab::{LONG, Lab, SOON, is_ready, reasons},
};

#[tokio::test]
async fn deceptive_requests_are_denied() {
    let lab = Lab::enter().await;
    lab.policy(json!({})).await;
    let host = lab.host("shop");
    let honest = || Build::new(&[&host]);
    let mut twice = honest();
    twice.attributes.push(build::extension_request(&[build::extension(
        build::SUBJECT_ALTERNATIVE_NAME,
        &build::sequence(&[build::dns("evil.test")]),
    )]));
    let mut outside = honest();
    outside.names.push(build::dns("evil.test"));
    // "shop" with a Cyrillic letter.
    let look_alike = format!("xn--shp-ted.{}", lab.domain());
    let cases = [
        (
            "ca-bit",
            honest().extension(build::BASIC_CONSTRAINTS, &build::ca()).pem(),
            "CaNotAllowed",
        ),
        (
            "cert-sign",
            honest().extension(build::KEY_USAGE, &build::cert_sign()).pem(),
            "CaNotAllowed",
        ),
        ("outside", outside.pem(), "NameNotAllowed"),
        (
            "common-name",
            honest().common_name("evil.test").pem(),
            "CommonNameNotListed",
        ),
        ("punycode", Build::new(&[&look_alike]).pem(), "NameNotAllowed"),
        (
            "bad-punycode",
            Build::new(&[&format!("xn--a.{}", lab.domain())]).pem(),
            "NameMalformed",
        ),
        (
            "wildcard",
            Build::new(&[&format!("*.{}", lab.domain())]).pem(),
            "NameNotAllowed",
        ),
        ("parent", Build::new(&[&lab.domain()]).pem(), "NameNotAllowed"),
        (
            "nul",
            Build::new(&[&format!("{host}\0.evil.test")]).pem(),
            "NameMalformed",
        ),
        ("twice", twice.pem(), "RequestMalformed"),
        (
            "two-blocks",
            format!("{}{}", honest().pem(), Build::new(&["evil.test"]).pem()),
            "RequestMalformed",
        ),
        ("garbage", "hello".to_owned(), "RequestMalformed"),
    ];
    for (name, pem, _) in &cases {
        lab.request(name, pem, json!({})).await.unwrap();
    }
    for (name, _, reason) in &cases {
        let (found, message) = lab.denied(name).await;
        assert_eq!(found, *reason, "{name}: {message}");
    }
    // In the spec instead of the CSR.
    lab.request("ca-spec", &honest().pem(), json!({"isCA": true}))
        .await
        .unwrap();
    assert_eq!(lab.denied("ca-spec").await.0, "CaNotAllowed");
    lab.clean().await;
}

#[tokio::test]
async fn huge_requests_are_denied_and_do_no_harm() {
    let lab = Lab::enter().await;
    lab.policy(json!({})).await;
    let names: Vec<String> = (0..10_000).map(|n| lab.host(&format!("n{n}"))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    lab.request("many-names", &Build::new(&names).pem(), json!({}))
        .await
        .unwrap();
    assert_eq!(lab.denied("many-names").await.0, "RequestTooLarge");
    let hundred_and_one = Build::new(&names[..101]).pem();
    lab.request("too-many", &hundred_and_one, json!({}))
        .await
        .unwrap();
    assert_eq!(lab.denied("too-many").await.0, "TooManyNames");
    let megabyte = "A".repeat(1 << 20);
    match lab.request("megabyte", &megabyte, json!({})).await {
        Ok(_) => assert_eq!(lab.denied("megabyte").await.0, "RequestTooLarge"),
        // etcd rejects objects of more than 1.5 MiB, which is fine too.
        Err(error) => eprintln!("the API server rejects 1 MiB: {error}"),
    }
    let (code, _) = lab.running().controller.get("/livez").await.unwrap();
    assert_eq!(code, 200);
    lab.clean().await;
}

#[tokio::test]
async fn a_foreign_cluster_issuer_signs_nothing() {
    let lab = Lab::enter().await;
    let other = lab.another().await;
    lab.policy(json!({})).await;
    // No policy lists `other.issuer`, so its requests are ignored and stay pending.
    lab.certificate(
        "foreign",
        json!({"issuerRef": {"name": other.issuer, "kind": "ClusterIssuer"}}),
    )
    .await;
    eventually("a request exists", || async {
        let requests = lab.requests(&lab.ns).list(&Default::default()).await?;
        anyhow::ensure!(!requests.items.is_empty(), "none yet");
        Ok(())
    })
    .await;
    stays(Duration::from_secs(3), "nothing is signed", || async {
        let secret = lab.secrets(&lab.ns).get_opt("foreign-tls").await?;
        let data = secret.and_then(|secret| secret.data).unwrap_or_default();
        anyhow::ensure!(!data.contains_key("tls.crt"), "the request was signed");
        Ok(())
    })
    .await;
    other.clean().await;
    lab.clean().await;
}

#[tokio::test]
async fn existing_secrets_are_not_overwritten() {
    let lab = Lab::enter().await;
    lab.policy(json!({})).await;
    let password: Secret = serde_json::from_value(json!({
        "metadata": {"name": "database"}, "stringData": {"password": "hunter2"},
    }))
    .unwrap();
    lab.secrets(&lab.ns)
        .create(&PostParams::default(), &password)
        .await
        .unwrap();
    lab.certificate("database", json!({"secretName": "database"}))
        .await;
    assert_eq!(lab.denied("database").await.0, "SecretNameNotAllowed");
    // A Secret that belongs to another Certificate.
    lab.certificate("mine", json!({})).await;
    let mine = lab.issued(&lab.ns, "mine-tls", LONG).await;
    // Creation timestamps have a resolution of a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    lab.certificate("theirs", json!({"secretName": "mine-tls"})).await;
    // cert-manager itself stops both where it detects the conflict.
    stays(Duration::from_secs(3), "both Secrets stay unchanged", || async {
        let database = lab
            .secrets(&lab.ns)
            .get("database")
            .await?
            .data
            .unwrap_or_default();
        anyhow::ensure!(database.len() == 1, "{:?}", database.keys());
        anyhow::ensure!(
            lab.issued(&lab.ns, "mine-tls", SOON).await == mine,
            "the Secret was overwritten"
        );
        Ok(())
    })
    .await;
    lab.clean().await;
}

#[tokio::test]
async fn no_secret_is_written_before_approval() {
    let lab = Lab::enter().await;
    let file = idp_testkit::root().join("platform/admission/certificates.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let source = "certificates.yaml".to_owned();
    apply_manifests(&lab.client, &[Manifest { source, text }])
        .await
        .unwrap();
    let hasty = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": {"name": "hasty", "annotations": {"cert-manager.io/issue-temporary-certificate": "true"}},
        "spec": {"dnsNames": ["a.b"], "secretName": "database", "issuerRef": {"name": "a"}},
    });
    let hasty: DynamicObject = serde_json::from_value(hasty).unwrap();
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    eventually("the annotation is rejected", || async {
        let answer = lab.certificates(&lab.ns).create(&params, &hasty).await;
        anyhow::ensure!(answer.is_err(), "the annotation was accepted");
        Ok(())
    })
    .await;
    lab.clean().await;
}

#[tokio::test]
async fn a_forged_owner_gets_nothing() {
    let lab = Lab::enter().await;
    lab.policy(json!({})).await;
    let host = lab.host("shop");
    lab.bind(&lab.ns, "shop", &[&host]).await;
    let binding = lab
        .binding_becomes(&lab.ns, "shop", LONG, "the binding is ready", is_ready)
        .await;
    // An attacker who may create Certificates in the gateway's namespace copies the labels and requests another host.
    let real = lab
        .certificates(&lab.gateway)
        .get(&secret::name(&host))
        .await
        .unwrap();
    let mut forged = real.clone();
    forged.metadata = kube::api::ObjectMeta {
        name: Some(format!("forged-{}", lab.ns)),
        namespace: Some(lab.gateway.clone()),
        labels: real.metadata.labels.clone(),
        annotations: real.metadata.annotations.clone(),
        ..Default::default()
    };
    forged
        .metadata
        .labels
        .as_mut()
        .unwrap()
        .remove("app.kubernetes.io/managed-by");
    forged.data["spec"]["dnsNames"] = json!([lab.host("other")]);
    forged.data["spec"]["secretName"] = json!(secret::name(&lab.host("other")));
    forged.data.as_object_mut().unwrap().remove("status");
    lab.certificates(&lab.gateway)
        .create(&PostParams::default(), &forged)
        .await
        .unwrap();
    eventually("the request is denied", || async {
        let requests = lab.requests(&lab.gateway).list(&Default::default()).await?;
        let denied = requests.iter().any(|request| {
            request
                .metadata
                .owner_references
                .iter()
                .flatten()
                .any(|owner| owner.name == format!("forged-{}", lab.ns))
                && request.status.as_ref().is_some_and(|status| status.is("Denied"))
        });
        anyhow::ensure!(denied, "not yet");
        Ok(())
    })
    .await;
    assert!(reasons(&binding).is_empty());
    lab.certificates(&lab.gateway)
        .delete(&format!("forged-{}", lab.ns), &Default::default())
        .await
        .unwrap();
    lab.clean().await;
}

//! Each rule denies with its own reason; requests to other issuers are ignored.

use std::time::Duration;

use idp_testkit::stays;
use serde_json::{Value, json};

use crate::{
    build::{self, Build},
    lab::{LONG, Lab},
};

#[tokio::test]
async fn each_rule_denies_a_real_request() {
    let lab = Lab::enter().await;
    lab.policy(json!({
        "names": {"dns": {"suffixes": [lab.domain()]}, "ips": ["10.0.0.0/8"], "uris": ["spiffe://idp.dev/a/*"]},
        "lifetime": {"min": "2h", "max": "48h"},
        "renewBefore": {"min": "1h", "max": "24h"},
    }))
    .await;
    let good = json!({"duration": "24h", "renewBefore": "2h"});
    let cases: Vec<(&str, Value, &str, &str)> = vec![
        (
            "name",
            json!({"dnsNames": ["evil.test"]}),
            "NameNotAllowed",
            "spec.names.dns",
        ),
        (
            "ip",
            json!({"ipAddresses": ["11.0.0.1"]}),
            "AddressNotAllowed",
            "spec.names.ips",
        ),
        (
            "uri",
            json!({"uris": ["spiffe://evil/a"]}),
            "UriNotAllowed",
            "spec.names.uris",
        ),
        ("ca", json!({"isCA": true}), "CaNotAllowed", "spec.allowCa"),
        (
            "key",
            json!({"privateKey": {"algorithm": "ECDSA", "size": 256}}),
            "",
            "",
        ),
        (
            "usage",
            json!({"usages": ["server auth", "code signing"]}),
            "UsageNotAllowed",
            "spec.usages",
        ),
        (
            "long",
            json!({"duration": "72h"}),
            "LifetimeNotAllowed",
            "spec.lifetime",
        ),
        (
            "short",
            json!({"duration": "1h", "renewBefore": "30m"}),
            "LifetimeNotAllowed",
            "spec.lifetime",
        ),
        (
            "renewal",
            json!({"renewBefore": "10m"}),
            "RenewalNotAllowed",
            "spec.renewBefore",
        ),
        (
            "secret",
            json!({"secretName": "database"}),
            "SecretNameNotAllowed",
            "spec.secretNames",
        ),
        (
            "email",
            json!({"emailAddresses": ["root@evil.test"]}),
            "NameKindNotAllowed",
            "",
        ),
        (
            "subject",
            json!({"subject": {"organizations": ["system:masters"]}}),
            "SubjectNotAllowed",
            "",
        ),
    ];
    for (name, more, reason, _) in &cases {
        let mut spec = good.clone();
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        if *reason != "AddressNotAllowed" {
            spec["ipAddresses"] = json!(["10.0.0.1"]);
        }
        lab.certificate(name, spec).await;
    }
    for (name, _, reason, field) in cases {
        if reason.is_empty() {
            let (approved, message) = lab.approved(name).await;
            assert_eq!(approved, "AllowedByPolicy");
            assert!(message.contains(&lab.ns), "{message}");
            lab.issued(&lab.ns, "key-tls", LONG).await;
            continue;
        }
        let (found, message) = lab.denied(name).await;
        assert_eq!(found, reason, "{name}: {message}");
        if !field.is_empty() {
            assert!(
                message.contains(field) && message.contains(&lab.ns),
                "{name} is denied with policy and field: {message}"
            );
        }
    }
    lab.clean().await;
}

#[tokio::test]
async fn namespace_issuer_and_key_rules_deny_too() {
    let lab = Lab::enter().await;
    lab.policy(json!({"keys": [{"algorithm": "ECDSA", "minSize": 384}]}))
        .await;
    lab.certificate("weak", json!({})).await;
    let (reason, message) = lab.denied("weak").await;
    assert_eq!(reason, "KeyNotAllowed", "{message}");
    // A policy for another namespace allows nothing in this one.
    let other = lab.another().await;
    other.policy(json!({"issuers": [{"name": other.issuer}]})).await;
    lab.certificate(
        "foreign",
        json!({"issuerRef": {"name": other.issuer, "kind": "ClusterIssuer"}, "dnsNames": [other.host("a")]}),
    )
    .await;
    let (reason, message) = lab.denied("foreign").await;
    assert_eq!(reason, "NamespaceNotSelected", "{message}");
    assert!(
        message.contains(&other.ns) && message.contains("spec.namespaces"),
        "{message}"
    );
    // The denial names the namespace's own policy, which differs only in the issuer.
    lab.policy(json!({})).await;
    lab.certificate(
        "issuer",
        json!({"issuerRef": {"name": other.issuer, "kind": "ClusterIssuer"}}),
    )
    .await;
    let (reason, message) = lab.denied("issuer").await;
    assert_eq!(reason, "IssuerNotAllowed", "{message}");
    other.clean().await;
    lab.clean().await;
}

#[tokio::test]
async fn requests_to_other_issuers_and_decided_ones_are_ignored() {
    let lab = Lab::enter().await;
    lab.policy(json!({})).await;
    let foreign =
        json!({"issuerRef": {"name": "somebody-elses", "kind": "ClusterIssuer", "group": "cert-manager.io"}});
    let pem = Build::new(&[&lab.host("a")]).pem();
    lab.request("foreign", &pem, foreign).await.unwrap();
    // An issuer with the same name but another group is another issuer.
    let group =
        json!({"issuerRef": {"name": lab.issuer, "kind": "ClusterIssuer", "group": "issuers.example.com"}});
    lab.request("group", &pem, group).await.unwrap();
    lab.request("ours", &build_for(&lab, "b"), json!({}))
        .await
        .unwrap();
    lab.approved("ours").await;
    stays(Duration::from_secs(2), "both requests stay unchanged", || async {
        for name in ["foreign", "group"] {
            let request = lab.requests(&lab.ns).get(name).await?;
            let decided = request.status.is_some_and(|status| status.is_decided());
            anyhow::ensure!(!decided, "{name} was decided");
        }
        Ok(())
    })
    .await;
    // They are ours as soon as a policy lists the issuer.
    lab.policy(json!({"issuers": [{"name": lab.issuer}, {"name": "somebody-elses"}]}))
        .await;
    lab.approved("foreign").await;
    lab.clean().await;
}

fn build_for(lab: &Lab, name: &str) -> String {
    Build::new(&[&lab.host(name)])
        .extension(build::EXTENDED_KEY_USAGE, &build::purpose(1))
        .pem()
}

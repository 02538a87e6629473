//! [`Validated`] -> Certificates. Pure.

use idp_api::certificate_policy::KeyAlgorithm;
use idp_core::{Child, Plan, Prepared, duration, labels};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::validate::{ValidHost, Validated};
use crate::{certificate_request::requirements::Requirements, controller_names::NAME, kinds::CERTIFICATE};

/// One Certificate for each host.
pub fn plan(validated: &Validated) -> Plan<Prepared> {
    let mine = validated
        .hosts
        .iter()
        .filter(|host| !host.shared && !host.recreate);
    Plan {
        children: mine.map(|host| child(validated, host)).collect(),
        problems: validated.warnings.clone(),
        ..Plan::default()
    }
}

fn child(validated: &Validated, host: &ValidHost) -> Child {
    let metadata = ObjectMeta {
        name: Some(host.secret.clone()),
        namespace: Some(validated.gateway.clone()),
        labels: Some(labels::for_child(&validated.application, NAME)),
        ..ObjectMeta::default()
    };
    match &host.requirements {
        Some(requirements) => Child::with_spec(CERTIFICATE, &metadata, spec(requirements, &host.host)),
        None => Child::with_spec(CERTIFICATE, &metadata, json!({}))
            .held("unchanged: no CertificatePolicy allows it any more"),
    }
}

fn spec(requirements: &Requirements, host: &str) -> Value {
    let algorithm = match requirements.key.algorithm {
        KeyAlgorithm::Rsa => "RSA",
        KeyAlgorithm::Ecdsa => "ECDSA",
        KeyAlgorithm::Ed25519 => "Ed25519",
    };
    let size = (requirements.key.algorithm != KeyAlgorithm::Ed25519).then_some(requirements.key.size);
    json!({
        "dnsNames": [host],
        "secretName": requirements.secret,
        "issuerRef": {
            "name": requirements.issuer.name, "kind": requirements.issuer.kind, "group": requirements.issuer.group,
        },
        "duration": duration::canonical(requirements.lifetime),
        "renewBefore": requirements.renew_before.map(duration::canonical),
        "usages": requirements.usages,
        // A new key with each certificate, so that a leaked key is of no use after the next renewal.
        "privateKey": {"algorithm": algorithm, "size": size, "rotationPolicy": "Always"},
        // Older CertificateRequests are not needed.
        "revisionHistoryLimit": 1,
    })
}

//! [`Validated`] -> the Certificates. Pure.

use idp_api::certificate_policy::KeyAlgorithm;
use idp_core::{Child, Plan, Prepared, duration, labels};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::{ValidHost, Validated};
use crate::{certificate_request::requirements::Content, controller_names::NAME, kinds::CERTIFICATE};

/// One Certificate for each host.
pub fn plan(validated: &Validated) -> Plan<Prepared> {
    let mine = validated.hosts.iter().filter(|host| !host.shared && !host.anew);
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
    match &host.content {
        Some(content) => Child::with_spec(CERTIFICATE, &metadata, spec(content, &host.host)),
        None => Child::with_spec(CERTIFICATE, &metadata, json!({}))
            .held("is kept as it is: no policy allows it any more"),
    }
}

fn spec(content: &Content, host: &str) -> Value {
    let algorithm = match content.key.algorithm {
        KeyAlgorithm::Rsa => "RSA",
        KeyAlgorithm::Ecdsa => "ECDSA",
        KeyAlgorithm::Ed25519 => "Ed25519",
    };
    let size = (content.key.algorithm != KeyAlgorithm::Ed25519).then_some(content.key.size);
    json!({
        "dnsNames": [host],
        "secretName": content.secret,
        "issuerRef": {
            "name": content.issuer.name, "kind": content.issuer.kind, "group": content.issuer.group,
        },
        "duration": duration::canonical(content.lifetime),
        "renewBefore": content.renew_before.map(duration::canonical),
        "usages": content.usages,
        // A new key with each certificate: one that leaked is of no use for longer than that.
        "privateKey": {"algorithm": algorithm, "size": size, "rotationPolicy": "Always"},
        // What is older than the last is of no use to anybody.
        "revisionHistoryLimit": 1,
    })
}

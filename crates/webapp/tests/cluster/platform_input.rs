//! Input of platform teams: the repository's manifests are accepted, and invalid input is rejected with the field and
//! a correction.

use idp_api::manifests::parse;
use idp_testkit::root;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, Patch},
    core::GroupVersionKind,
    discovery::pinned_kind,
};
use serde_json::{Value, json};

use crate::lab::{Lab, dry_run};

const KINDS: [&str; 4] = [
    "Environment",
    "ClaimClass",
    "CertificatePolicy",
    "ClusterSecretStore",
];

/// The documents of these kinds in a file.
fn shipped(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    let mut documents = parse(&text).unwrap();
    documents.retain(|document| KINDS.iter().any(|kind| document["kind"] == *kind));
    assert!(!documents.is_empty(), "{file}");
    documents
}

/// The result of a dry run.
async fn tried(client: &Client, object: &Value) -> kube::Result<DynamicObject> {
    let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
    let kind = GroupVersionKind::try_from(object.types.as_ref().unwrap()).unwrap();
    let (resource, _) = pinned_kind(client, &kind).await?;
    Api::all_with(client.clone(), &resource)
        .patch(&object.name_any(), &dry_run(), &Patch::Apply(&object))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn shipped_manifests_are_accepted() {
    let lab = Lab::new("shipped").await;
    for environment in ["local", "staging", "production"] {
        for file in [
            format!("platform/environments/{environment}.yaml"),
            format!("platform/claim-classes/{environment}.yaml"),
            format!("secrets/external-secrets/{environment}.yaml"),
            format!("secrets/cert-manager/{environment}/policies.yaml"),
        ] {
            for object in shipped(&file) {
                let answer = tried(&lab.client, &object).await;
                answer.unwrap_or_else(|error| panic!("{file}: {}: {error}", object["metadata"]["name"]));
            }
        }
    }
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_input_is_rejected_with_a_correction() {
    let environment = "platform/environments/local.yaml";
    let class = "platform/claim-classes/local.yaml";
    let policy = "secrets/cert-manager/local/policies.yaml";
    let cases = [
        (
            environment,
            "spec.baseDomain",
            json!("Apps"),
            "such as apps.example.com",
        ),
        (
            environment,
            "spec.gateway.shared",
            json!("main"),
            "write the Gateway as namespace/name",
        ),
        (
            environment,
            "spec.certificates.kind",
            json!("Cluster"),
            "write ClusterIssuer or Issuer",
        ),
        (
            environment,
            "spec.secrets.kind",
            json!("Vault"),
            "write ClusterSecretStore or SecretStore",
        ),
        (
            environment,
            "spec.secrets.refreshInterval",
            json!("1 hour"),
            "write a duration such as 30s, 5m or 1h",
        ),
        (
            environment,
            "spec.replicas",
            json!({"floor": 5, "ceiling": 2}),
            "floor must not be greater than ceiling",
        ),
        (
            environment,
            "spec.placement.allowedPriorityClasses",
            json!([{"name": "system-node-critical"}]),
            "system- classes are reserved for the cluster",
        ),
        (
            environment,
            "spec.network.allowedRanges",
            json!([{"range": "10.0.0.0"}]),
            "write a range such as 10.20.0.0/16",
        ),
        (
            environment,
            "spec.limits.metrics.leastInterval",
            json!("1ms"),
            "write a duration such as 15s",
        ),
        (
            environment,
            "spec.defaultSize",
            json!("huge"),
            "defaultSize must be one of sizes",
        ),
        (
            class,
            "spec.defaultSize",
            json!("huge"),
            "defaultSize must be one of sizes",
        ),
        (
            class,
            "spec.gracePeriod",
            json!("a week"),
            "write a duration such as 30m or 168h",
        ),
        (class, "spec.engine", json!("Post gres"), "write a-z, 0-9 and '-'"),
        (
            class,
            "spec.connection.egress",
            json!([{"ports": [5432]}]),
            "write exactly one of pods, host and range",
        ),
        (
            policy,
            "spec.names.dns.suffixes",
            json!(["*.example.com"]),
            "write the domain alone",
        ),
        (
            policy,
            "spec.keys",
            json!([{"algorithm": "Ed25519", "minSize": 256}]),
            "keys of Ed25519 have one size",
        ),
        (
            policy,
            "spec.lifetime.max",
            json!("1 year"),
            "write a duration such as 30m, 24h or 2160h",
        ),
    ];
    let lab = Lab::new("refused").await;
    for (file, path, value, hint) in cases {
        let mut object = shipped(file).remove(0);
        let place = path
            .split('.')
            .fold(&mut object, |place, member| &mut place[member]);
        *place = value;
        let said = match tried(&lab.client, &object).await {
            Ok(_) => panic!("{path} of {file} is accepted"),
            Err(error) => error.to_string(),
        };
        let field = path.rsplit_once('.').map_or(path, |(parent, _)| parent);
        assert!(said.contains(field) && said.contains(hint), "{path}: {said}");
    }
    lab.end().await;
}

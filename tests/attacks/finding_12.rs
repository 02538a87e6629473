//! A wide patch policy opens fields of the application, but not the platform's guarantees.

use idp_api::{Environment, WebApplication};
use idp_webapp::{kinds, render::render};
use serde_json::{Value, json};

use crate::{Tenant, wide::Wide};

/// Kinds of an application's children, each with a patch that affects more than the application.
fn reaching() -> Vec<(&'static str, Value)> {
    let pod = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
    let key = |map: &str, key: &str| json!({"spec": {"template": {"metadata": {map: {key: "false"}}}}});
    vec![
        ("Deployment", pod(json!({"serviceAccountName": "default"}))),
        ("Deployment", pod(json!({"automountServiceAccountToken": true}))),
        (
            "Deployment",
            pod(
                json!({"volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "audience": "vault"}}]}}]}),
            ),
        ),
        ("Deployment", pod(json!({"hostNetwork": true}))),
        ("Deployment", key("labels", "sidecar.istio.io/inject")),
        ("Deployment", key("labels", "istio.io/dataplane-mode")),
        (
            "Deployment",
            key("annotations", "traffic.sidecar.istio.io/excludeOutboundIPRanges"),
        ),
        ("Deployment", key("annotations", "proxy.istio.io/config")),
        ("Deployment", key("labels", "idp.dev/application")),
        ("Deployment", json!({"metadata": {"ownerReferences": []}})),
        (
            "Deployment",
            json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}}),
        ),
        ("Deployment", json!({"spec": {"replicas": 1000}})),
        ("Service", json!({"spec": {"externalIPs": ["10.0.0.1"]}})),
        ("Service", json!({"spec": {"type": "NodePort"}})),
        (
            "Service",
            json!({"metadata": {"annotations": {"external-dns.alpha.kubernetes.io/hostname": "shop.example.com"}}}),
        ),
        ("ServiceAccount", json!({"automountServiceAccountToken": true})),
        ("NetworkPolicy", json!({"spec": {"egress": [{}]}})),
        ("AuthorizationPolicy", json!({"spec": {"rules": [{}]}})),
        (
            "PeerAuthentication",
            json!({"spec": {"mtls": {"mode": "DISABLE"}}}),
        ),
        (
            "DestinationRule",
            json!({"spec": {"host": "*.svc.cluster.local"}}),
        ),
        ("PrometheusRule", json!({"spec": {"groups": []}})),
        ("ConfigMap", json!({"data": {"x": "y"}})),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wide_patch_policy_opens_no_escape() {
    let tenant = Tenant::new("a12").await;
    let all = kinds::CHILDREN.map(|kind| kind.kind);
    let wide = Wide::open(&tenant, &all).await;
    for (index, (kind, merge)) in reaching().into_iter().enumerate() {
        let name = format!("p{index}");
        let spec = json!({"patches": [{"kind": kind, "merge": merge}]});
        tenant.create(&name, spec).await.unwrap();
        let problem = tenant.lab.problem(&name, "PatchNotAllowed").await;
        assert_eq!(
            problem.path.as_deref(),
            Some("spec.patches[0].merge"),
            "{kind} {merge}: {problem}"
        );
    }
    for kind in [
        kinds::DEPLOYMENT,
        kinds::SERVICE,
        kinds::NETWORK_POLICY,
        kinds::SERVICE_ACCOUNT,
    ] {
        let made = tenant
            .lab
            .objects(kind)
            .list(&Default::default())
            .await
            .unwrap()
            .items;
        let ours = made
            .iter()
            .filter(|object| object.metadata.owner_references.is_some());
        assert_eq!(ours.count(), 0, "{kind}");
    }
    // The policy has an effect: the application's own fields are patched.
    let own = json!({"patches": [
        {"kind": "Deployment", "merge": {"spec": {"minReadySeconds": 1, "template": {"metadata": {"annotations": {"note": "a"}}}}}}]});
    tenant.create("own", own).await.unwrap();
    tenant.lab.ready("own").await;
    assert_eq!(
        tenant
            .lab
            .deployment("own")
            .await
            .unwrap()
            .spec
            .unwrap()
            .min_ready_seconds,
        Some(1)
    );
    wide.close().await;
    tenant.end().await;
}

/// The production Environment, with the widest possible policy.
fn production() -> Environment {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../platform/environments/production.yaml"
    );
    let text = std::fs::read_to_string(file).unwrap();
    let mut environment: Environment = serde_saphyr::from_str(&text).unwrap();
    let wide = json!([{"kind": "Deployment", "fields": ["spec", "metadata"]}, {"kind": "CronJob", "fields": ["spec", "metadata"]}]);
    environment.spec.allowed_patches = serde_json::from_value(wide).unwrap();
    environment
}

#[test]
fn images_in_patches_must_be_from_allowed_registries() {
    let digest = format!("sha256:{}", "a1".repeat(32));
    let app = |kind: &str, merge: &Value| -> WebApplication {
        serde_json::from_value(json!({
            "apiVersion": "idp.dev/v1alpha1", "kind": "WebApplication",
            "metadata": {"name": "shop", "namespace": "team-a"},
            "spec": {"image": format!("registry.example.com/shop@{digest}"), "jobs": [{"name": "j", "command": ["x"]}],
                "patches": [{"kind": kind, "merge": merge}]},
        }))
        .unwrap()
    };
    let container = |image: &str| json!({"containers": [{"name": "app", "image": image}]});
    let of_pods = |spec: &Value| json!({"spec": {"template": {"spec": spec}}});
    let of_jobs = |spec: &Value| json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}});
    let elsewhere = format!("evil.example.org/miner@{digest}");
    let cases = [
        (container(&elsewhere), "ImageNotAllowed"),
        (container("registry.example.com/shop:latest"), "ImageNeedsDigest"),
        (
            json!({"volumes": [{"name": "v", "image": {"reference": elsewhere}}]}),
            "ImageNotAllowed",
        ),
    ];
    for (pod, reason) in cases {
        for (kind, merge) in [("Deployment", of_pods(&pod)), ("CronJob", of_jobs(&pod))] {
            let problems = render(&app(kind, &merge), &production()).unwrap_err();
            assert_eq!(problems[0].reason, reason, "{kind} {merge}: {problems:?}");
        }
    }
    let own = container(&format!("registry.example.com/other@{digest}"));
    assert!(render(&app("Deployment", &of_pods(&own)), &production()).is_ok());
}

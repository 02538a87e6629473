//! An application runs only on nodes that the Environment allows, and cannot preempt others.

use idp_webapp::kinds::{CRON_JOB, DEPLOYMENT};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::{Tenant, wide::Wide};

const REASON: &str = "PlacementNotAllowed";

/// Running pods of an application, by name.
async fn running(tenant: &Tenant, name: &str) -> Vec<String> {
    let pods: Vec<Pod> = tenant.lab.labelled(name).await;
    let running =
        |pod: &Pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
    pods.into_iter()
        .filter(running)
        .filter_map(|pod| pod.metadata.name)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_pod_is_preempted() {
    let (victim, attacker) = (Tenant::new("a04-victim").await, Tenant::new("a04").await);
    victim.create("victim", json!({"replicas": 3})).await.unwrap();
    victim.lab.ready("victim").await;
    let before = running(&victim, "victim").await;
    assert_eq!(before.len(), 3);

    let fence = json!({
        "replicas": 4,
        "resources": {"cpu": "240", "memory": "1Gi"},
        "placement": {"spread": "None", "priorityClass": "system-node-critical"},
    });
    attacker.create("fence", fence).await.unwrap();
    let problem = attacker.lab.problem("fence", REASON).await;
    assert_eq!(problem.path.as_deref(), Some("spec.placement.priorityClass"));
    assert_eq!(
        attacker
            .lab
            .problem("fence", "LimitExceeded")
            .await
            .path
            .as_deref(),
        Some("spec.resources.cpu")
    );
    assert!(attacker.lab.deployment("fence").await.is_none());
    assert_eq!(running(&victim, "victim").await, before);
    victim.end().await;
    attacker.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_taint_is_tolerated_without_permission() {
    let tenant = Tenant::new("a04-taints").await;
    let refused = [
        json!({"key": "node-role.kubernetes.io/control-plane"}),
        json!({"key": "CriticalAddonsOnly"}),
        // The Environment allows this taint with another value, and with this value and another effect.
        json!({"key": "example.com/dedicated", "value": "platform", "effect": "NoSchedule"}),
        json!({"key": "example.com/dedicated", "value": "web"}),
        json!({"key": "example.com/dedicated"}),
    ];
    for (index, toleration) in refused.into_iter().enumerate() {
        let name = format!("taint-{index}");
        let spec = json!({"placement": {"tolerations": [{"key": "kwok.x-k8s.io/node"}, toleration]}, "jobs": [{"name": "j", "command": ["x"]}]});
        tenant.create(&name, spec).await.unwrap();
        let problem = tenant.lab.problem(&name, REASON).await;
        assert_eq!(
            problem.path.as_deref(),
            Some("spec.placement.tolerations[1]"),
            "{problem}"
        );
        assert!(
            problem
                .hint
                .unwrap()
                .contains("placement.allowedTolerations of Environment local")
        );
        assert!(tenant.lab.deployment(&name).await.is_none());
    }
    assert_eq!(
        tenant
            .lab
            .objects(CRON_JOB)
            .list(&Default::default())
            .await
            .unwrap()
            .items
            .len(),
        0
    );
    // The API server rejects a key that tolerates everything.
    let all = json!({"placement": {"tolerations": [{"key": ""}]}});
    assert!(tenant.create("all", all).await.is_err());
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patches_do_not_bypass_the_rules() {
    let tenant = Tenant::new("a04-patches").await;
    let wide = Wide::open(&tenant, &["Deployment", "CronJob", "Job"]).await;
    let pods = [
        json!({"priorityClassName": "system-node-critical"}),
        json!({"priorityClassName": "important"}),
        json!({"priority": 2_000_001_000}),
        json!({"tolerations": [{"operator": "Exists"}]}),
        json!({"nodeSelector": {"example.com/pool": "platform"}}),
        json!({"nodeName": "kwok-0"}),
        json!({"schedulerName": "mine"}),
        json!({"runtimeClassName": "mine"}),
        json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "namespaceSelector": {}, "labelSelector": {}}]}}}),
    ];
    let of_pods = |spec: &Value| json!({"spec": {"template": {"spec": spec}}});
    let of_jobs = |spec: &Value| json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}});
    for (index, pod) in pods.iter().enumerate() {
        for (kind, merge) in [
            ("Deployment", of_pods(pod)),
            ("Job", of_pods(pod)),
            ("CronJob", of_jobs(pod)),
        ] {
            let name = format!("p{index}-{}", kind.to_lowercase());
            let spec = json!({
                "migration": {"command": ["x"]},
                "jobs": [{"name": "j", "command": ["x"]}],
                "patches": [{"kind": kind, "merge": merge}],
            });
            tenant.create(&name, spec).await.unwrap();
            let problem = tenant.lab.problem(&name, "PatchNotAllowed").await;
            assert_eq!(
                problem.path.as_deref(),
                Some("spec.patches[0].merge"),
                "{pod}: {problem}"
            );
        }
    }
    let made = tenant
        .lab
        .objects(DEPLOYMENT)
        .list(&Default::default())
        .await
        .unwrap()
        .items;
    assert_eq!(made.len(), 0);
    wide.close().await;
    tenant.end().await;
}

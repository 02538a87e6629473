//! The number, size and frequency of a tenant's objects are limited.

use idp_webapp::kinds::{CRON_JOB, SERVICE_MONITOR};
use serde_json::{Value, json};

use crate::Tenant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_schedules_is_limited() {
    let tenant = Tenant::new("a10-jobs").await;
    let flood: Vec<Value> = (0..16)
        .map(|index| {
            json!({"name": format!("j{index}"), "schedule": "* * * * *", "command": ["x"], "concurrency": "Allow", "timeoutSeconds": 604_800})
        })
        .collect();
    tenant.create("flood", json!({"jobs": flood})).await.unwrap();
    let problem = tenant.lab.problem("flood", "LimitExceeded").await;
    assert_eq!(problem.path.as_deref(), Some("spec.jobs"), "{problem}");
    assert!(problem.message.contains("161280 pods"), "{problem}");
    assert!(
        problem
            .hint
            .unwrap()
            .contains("limits.jobs.parallelPods in Environment local")
    );
    let made = tenant
        .lab
        .objects(CRON_JOB)
        .list(&Default::default())
        .await
        .unwrap();
    assert_eq!(made.items.len(), 0);
    // The maximum is accepted.
    let most = json!([{"name": "a", "schedule": "* * * * *", "command": ["x"], "concurrency": "Allow", "timeoutSeconds": 15 * 60},
        {"name": "b", "schedule": "@daily", "command": ["x"]}]);
    tenant.create("most", json!({"jobs": most})).await.unwrap();
    tenant.lab.ready("most").await;
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intervals_and_sizes_are_limited() {
    let tenant = Tenant::new("a10-rates").await;
    let metrics = |interval: &str| json!({"observability": {"metrics": {"interval": interval}}});
    let cases = [
        (metrics("1ms"), "spec.observability.metrics.interval"),
        (metrics("4s999ms"), "spec.observability.metrics.interval"),
        (
            json!({"resources": {"cpu": "240", "memory": "1Gi"}}),
            "spec.resources.cpu",
        ),
        (
            json!({"resources": {"cpu": "1", "memory": "900Ei"}}),
            "spec.resources.memory",
        ),
        (
            json!({"secrets": [{"name": "s", "refreshInterval": "9999h"}]}),
            "spec.secrets[0].refreshInterval",
        ),
        (
            json!({"routes": [{"host": "a10", "timeout": "99999h"}]}),
            "spec.routes[0].timeout",
        ),
    ];
    for (index, (spec, path)) in cases.into_iter().enumerate() {
        let name = format!("rate-{index}");
        tenant.create(&name, spec.clone()).await.unwrap();
        let problem = tenant.lab.problem(&name, "LimitExceeded").await;
        assert_eq!(problem.path.as_deref(), Some(path), "{spec}: {problem}");
        assert!(tenant.lab.deployment(&name).await.is_none());
    }
    let made = tenant
        .lab
        .objects(SERVICE_MONITOR)
        .list(&Default::default())
        .await
        .unwrap();
    assert_eq!(made.items.len(), 0);
    // The schema limits maps, and no duration overflows.
    let many: serde_json::Map<String, Value> = (0..40).map(|i| (format!("k{i}"), json!("v"))).collect();
    for spec in [
        json!({"placement": {"nodeSelector": many}}),
        json!({"secrets": [{"name": "s", "template": many}]}),
        json!({"secrets": [{"name": "s", "refreshInterval": "0.1s"}]}),
        json!({"autoscaling": {"maxReplicas": 2, "custom": [{"name": "m", "labels": many, "average": "1"}]}}),
        metrics("99999999999999999999999999999999999h"),
        json!({"command": ["x".repeat(5000)]}),
    ] {
        let refused = tenant.create("schema", spec.clone()).await;
        assert!(
            matches!(&refused, Err(kube::Error::Api(status)) if status.code == 422),
            "{spec}: {refused:?}"
        );
    }
    tenant
        .create("overflow", metrics("9999999999999999999999999999h"))
        .await
        .unwrap();
    let problem = tenant.lab.problem("overflow", "InvalidSpec").await;
    assert_eq!(
        problem.path.as_deref(),
        Some("spec.observability.metrics.interval")
    );
    tenant.end().await;
}

/// 370 applications of 1.25 MB killed the controller at every start: it keeps each of them in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_for_applications_is_limited() {
    let tenant = Tenant::new("a10-memory").await;
    let files = |count: usize, length: usize| {
        let file = |n| json!({"path": format!("/etc/{n}"), "content": "x".repeat(length)});
        json!({"configFiles": (0..count).map(file).collect::<Vec<Value>>()})
    };
    for (count, length) in [(5, 250_000), (5, 100_000), (2, 65_537)] {
        let refused = tenant.create("large", files(count, length)).await.unwrap_err();
        assert!(
            matches!(&refused, kube::Error::Api(status) if status.code == 422),
            "{refused}"
        );
    }
    tenant.create("most", files(2, 65_536)).await.unwrap();
    tenant.lab.ready("most").await;
    // A field without a schema can be as large: the application is reported, and others are not affected.
    let hidden = json!({"capabilities": {"mail": {"x": "y".repeat(900_000)}}});
    tenant.create("hidden", hidden).await.unwrap();
    let problem = tenant.lab.problem("hidden", "Unreadable").await;
    assert!(problem.to_string().contains("spec.capabilities"), "{problem}");
    tenant.create("small", json!({})).await.unwrap();
    tenant.lab.ready("small").await;
    tenant.end().await;
}

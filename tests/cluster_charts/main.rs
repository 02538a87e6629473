//! The charts on an empty cluster: our controllers run in pods, authenticate with certificates that one of them
//! approves, and find each other by labels of Services.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod install;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use idp_certificate_policy::secret;
use idp_testkit::{TestCluster, chart::CHARTS, eventually_within};
use idp_tests::{app, is_ready, why};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, Secret},
};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, LogParams, PostParams},
};
use serde_json::json;

use install::{POLICY, WEBAPP, installed};

/// The kubelet updates Secrets in pods about once a minute.
const LONG: Duration = Duration::from_secs(600);

fn all_pods(client: &Client) -> Api<Pod> {
    Api::namespaced(client.clone(), "idp-system")
}

/// Pods of a release.
async fn pods(client: &Client, release: &str) -> Result<Vec<Pod>> {
    let ours = ListParams::default().labels(&format!("app.kubernetes.io/instance={release}"));
    Ok(all_pods(client).list(&ours).await?.items)
}

fn is_up(pod: &Pod) -> bool {
    let status = pod
        .status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten());
    status.into_iter().any(|container| container.ready)
}

/// Restarts of a pod, and the exit of its last process.
fn restarts(pod: &Pod) -> (i32, Option<i32>) {
    let containers = pod
        .status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten());
    let ended = containers.map(|container| {
        let last = container
            .last_state
            .as_ref()
            .and_then(|state| state.terminated.as_ref());
        (container.restart_count, last.map(|last| last.exit_code))
    });
    ended.into_iter().next().unwrap_or_default()
}

async fn both_are_up(client: &Client, release: &str) {
    eventually_within(LONG, &format!("both pods of {release} are ready"), || async {
        let pods = pods(client, release).await?;
        ensure!(pods.len() == 2 && pods.iter().all(is_up), "{}", said(&pods));
        Ok(())
    })
    .await;
}

/// Statuses of pods.
fn said(pods: &[Pod]) -> String {
    let states = pods.iter().flat_map(|pod| pod.status.iter());
    let states = states
        .map(|status| json!({"phase": status.phase, "containers": status.container_statuses}).to_string());
    states.collect::<Vec<_>>().join("\n")
}

/// It approves its own certificate, and restarts with it: once, and without back-off.
async fn the_policy_starts_again_with_grpc(test: &TestCluster) {
    let client = &test.client;
    eventually_within(LONG, "the policy serves gRPC", || async {
        for pod in pods(client, POLICY).await? {
            ensure!(is_up(&pod), "{}", said(&[pod]));
            ensure!(restarts(&pod) == (1, Some(0)), "{:?}", restarts(&pod));
            let name = pod.metadata.name.context("no name")?;
            let logs = all_pods(client).logs(&name, &LogParams::default()).await?;
            ensure!(logs.contains("Serving gRPC."), "{logs}");
        }
        Ok(())
    })
    .await;
}

/// An application of this name becomes Ready, with a certificate for its host.
async fn serves(client: &Client, ns: &str, name: &str) {
    let host = format!("{name}-{ns}.idp.localhost");
    let shop = app(ns, name, &json!({"routes": [{"host": host}]}));
    let apps = Api::namespaced(client.clone(), ns);
    apps.create(&PostParams::default(), &shop).await.unwrap();
    eventually_within(LONG, "the application is Ready", || async {
        let app = apps.get(name).await?;
        ensure!(is_ready(&app), "{}", why(&app));
        Ok(())
    })
    .await;
    let gateway: Api<Secret> = Api::namespaced(client.clone(), "istio-system");
    let certificate = gateway.get(&secret::name(&host)).await.unwrap();
    assert!(certificate.data.unwrap().contains_key("tls.crt"));
}

/// Names of the pods of the WebApplication controller, and the team that each is annotated with.
async fn teams(client: &Client) -> Result<BTreeMap<String, Option<String>>> {
    let pods = pods(client, WEBAPP).await?.into_iter();
    let team = |pod: &Pod| pod.annotations().get("team").cloned();
    Ok(pods.map(|pod| (pod.name_any(), team(&pod))).collect())
}

/// Unchanged values change nothing. Changed values trigger a rollout, with at least two ready pods at all times.
async fn an_upgrade_rolls_what_it_changes(test: &TestCluster) {
    let client = &test.client;
    let webapp = install::webapp(test).await;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "idp-system");
    let (before, pods_before) = (
        deployments.get(WEBAPP).await.unwrap(),
        teams(client).await.unwrap(),
    );
    webapp.install(&test.cluster).await.unwrap();
    let after = deployments.get(WEBAPP).await.unwrap();
    assert_eq!(after.metadata.generation, before.metadata.generation);

    let changed = webapp.with(r#"podAnnotations={"team":"platform"}"#);
    changed.install(&test.cluster).await.unwrap();
    // A restarted pod is not a rollout: only lasting changes count.
    let too_few = AtomicU32::new(0);
    eventually_within(LONG, "both pods are new", || async {
        let status = deployments.get(WEBAPP).await?.status.unwrap_or_default();
        if status.available_replicas >= Some(2) {
            too_few.store(0, Ordering::Relaxed);
        } else if too_few.fetch_add(1, Ordering::Relaxed) > 20 {
            panic!("too few pods are available: {status:?}");
        }
        let pods = teams(client).await?;
        let is_new = |(name, team): (&String, &Option<String>)| {
            team.as_deref() == Some("platform") && !pods_before.contains_key(name)
        };
        ensure!(pods.len() == 2 && pods.iter().all(is_new), "{pods:?}");
        Ok(())
    })
    .await;
    both_are_up(client, WEBAPP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platform_comes_up_from_its_charts_and_serves_an_application() {
    let test = installed().await;
    let client = test.client.clone();
    the_policy_starts_again_with_grpc(&test).await;
    for release in CHARTS {
        both_are_up(&client, release).await;
    }
    for pod in pods(&client, WEBAPP).await.unwrap() {
        assert_eq!(
            restarts(&pod).0,
            0,
            "the pod must wait for its certificate without a restart"
        );
    }

    let ns = test.namespace("shop").await.unwrap();
    serves(&client, &ns, "shop").await;
    an_upgrade_rolls_what_it_changes(&test).await;
    serves(&client, &ns, "after").await;
    install::end().await;
}

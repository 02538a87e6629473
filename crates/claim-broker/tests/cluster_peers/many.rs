//! Many claims at once, and no requests when nothing changes.

use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::{StreamExt, TryStreamExt, stream};
use idp_api::ClaimBinding;
use idp_core::condition::SYNCED;
use idp_testkit::eventually_within;
use kube::api::{ListParams, PostParams};
use serde_json::json;

use crate::support::{LONG, Lab, binding, condition, is_ready, work};

const COUNT: usize = 300;
const QUIET: Duration = Duration::from_secs(60);
const SETTLING: Duration = Duration::from_secs(10);

fn is_synced(binding: &ClaimBinding) -> bool {
    binding
        .status
        .as_ref()
        .is_some_and(|status| condition(status, SYNCED).is_some_and(|synced| synced.is_true()))
}

fn works(binding: &ClaimBinding) -> bool {
    binding
        .status
        .as_ref()
        .is_some_and(|status| is_ready(status) && status.version.is_some())
}

/// The time until `count` bindings are as wanted.
async fn time(
    lab: &Lab,
    namespace: &str,
    count: usize,
    since: Instant,
    wanted: fn(&ClaimBinding) -> bool,
) -> Duration {
    eventually_within(LONG, "all bindings are as wanted", || async {
        let all = lab.bindings(namespace).list(&ListParams::default()).await?;
        let done = all.iter().filter(|binding| wanted(binding)).count();
        ensure!(done == count, "{done} of {count}");
        Ok::<_, anyhow::Error>(())
    })
    .await;
    since.elapsed()
}

/// Waits until the broker has sent no request for a while.
async fn settled(lab: &Lab) {
    let began = Instant::now();
    loop {
        let audit = lab.audit();
        tokio::time::sleep(SETTLING).await;
        let requests = audit.requests().unwrap();
        if work(&requests).is_empty() {
            return;
        }
        assert!(
            began.elapsed() < LONG,
            "never quiet: {:?}",
            work(&requests).last()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_bindings_at_once_are_soon_ready_and_then_quiet() {
    // As the classes of the repository have it. With claims, Crossplane writes a hundred times for each of them, and 300 take it
    // six minutes: its time, not the broker's.
    let lab = Lab::with_composites().await;
    let namespace = lab.test.namespace("many").await.unwrap();
    let class = lab
        .class(&namespace, json!({ "quota": { "perNamespace": 1000 } }))
        .await;
    let broker = lab.broker("many").await;
    let start = Instant::now();
    lab.bind(&binding(&namespace, &class, "first", "db")).await;
    let one_synced = time(&lab, &namespace, 1, start, is_synced).await;
    let one_ready = time(&lab, &namespace, 1, start, works).await;

    let audit = lab.audit();
    let start = Instant::now();
    let bindings = lab.bindings(&namespace);
    stream::iter(1..COUNT)
        .map(|number| {
            let (bindings, binding) = (
                bindings.clone(),
                binding(&namespace, &class, &format!("app{number}"), "db"),
            );
            async move {
                bindings
                    .create(&PostParams::default(), &binding)
                    .await
                    .map(|_| ())
            }
        })
        .buffer_unordered(16)
        .try_collect::<()>()
        .await
        .unwrap();
    let created = start.elapsed();
    let synced = time(&lab, &namespace, COUNT, start, is_synced).await;
    let ready = time(&lab, &namespace, COUNT, start, works).await;
    settled(&lab).await;
    let requests = audit.requests().unwrap();
    let asked = work(&requests).len();
    eprintln!(
        "many: one Synced after {one_synced:.2?} and Ready after {one_ready:.2?}; {COUNT} created in {created:.2?}, the last \
         Synced after {synced:.2?} and Ready after {ready:.2?}; {:.1} requests of the broker each",
        asked as f64 / (COUNT - 1) as f64
    );
    // The broker creates claims without waiting for Crossplane, which uses the same API server: all claims exist long
    // before most are ready, and the last one after a small multiple of the time that a single one takes.
    // The times are printed, but not asserted, because they depend on other work on the machine.
    assert!(synced < ready, "{synced:?}");

    let audit = lab.audit();
    tokio::time::sleep(QUIET).await;
    let requests = audit.requests().unwrap();
    assert!(
        work(&requests).is_empty(),
        "a quiet minute: {:?}",
        work(&requests)
    );

    let audit = lab.audit();
    drop(broker);
    let broker = lab.broker("many-again").await;
    settled(&lab).await;
    let requests = audit.requests().unwrap();
    let writes: Vec<_> = work(&requests)
        .into_iter()
        .filter(|request| request.verb != "list")
        .collect();
    assert!(writes.is_empty(), "after a restart: {writes:?}");
    eprintln!(
        "restart: {} requests, none a write; {} MiB",
        requests.len(),
        broker.controller.resident_bytes().unwrap() >> 20
    );
    drop(broker);
    lab.clean(&namespace).await;
}

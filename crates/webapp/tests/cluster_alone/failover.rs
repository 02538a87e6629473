//! Two replicas: one leads, and the other takes over.

use std::time::Duration;

use anyhow::ensure;
use idp_core::condition::SYNCED;
use idp_testkit::{eventually_within, fixtures::typical};
use idp_webapp::kinds;
use kube::{ResourceExt, api::ListParams};

use crate::support::{APPLICATION, LONG, Lab, dynamic, leads, rendered};

const COUNT: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_completes_the_work_of_a_killed_leader() {
    let lab = Lab::enter().await;
    let namespace = lab.test.namespace("failover").await.unwrap();
    let leader = lab.leader("failover-first").await;
    let standby = lab.controller("failover-second").await;
    let apps: Vec<_> = (0..COUNT)
        .map(|number| typical(&namespace, &format!("app-{number}")))
        .collect();

    let kill_in_mid_work = async {
        let deployments = dynamic(&lab.client(), kinds::DEPLOYMENT, &namespace);
        eventually_within(LONG, "the leader works", || async {
            let count = deployments
                .list_metadata(&ListParams::default())
                .await?
                .items
                .len();
            ensure!(count >= COUNT / 10, "{count} Deployments");
            Ok(())
        })
        .await;
        assert!(!standby.leads().await, "one at a time");
        leader.kill().unwrap();
        deployments
            .list_metadata(&ListParams::default())
            .await
            .unwrap()
            .items
            .len()
    };
    let (done, ()) = tokio::join!(kill_in_mid_work, lab.create(apps.clone()));
    assert!(done < COUNT, "killed too late to show anything");
    // 15 s of the Lease, 2 s between attempts, and the time to fill the caches.
    leads(&standby, Duration::from_secs(60)).await;
    lab.all_ready(&namespace, COUNT).await;
    as_rendered(&lab, &namespace, &apps).await;
    eprintln!("failover: killed after {done} of {COUNT} Deployments; all is as rendered");

    // On SIGTERM the leader releases its Lease, so the next one does not wait for its expiry.
    let next = lab.controller("failover-third").await;
    eventually_within(LONG, "the next one is up", || async {
        ensure!(next.get("/readyz").await?.0 == 200, "not ready");
        Ok(())
    })
    .await;
    assert!(!next.leads().await, "one at a time");
    assert!(standby.stop().await.unwrap(), "it ends well");
    let ended = std::time::Instant::now();
    eventually_within(Duration::from_secs(12), "the successor leads", || async {
        let metrics = next.get("/metrics").await?.1;
        let leading = |line: &str| line.starts_with("leader_election_master_status") && line.ends_with(" 1");
        ensure!(metrics.lines().any(leading), "it does not lead");
        Ok(())
    })
    .await;
    eprintln!(
        "graceful: the successor led after {:.1} s",
        ended.elapsed().as_secs_f32()
    );
    let late = typical(&namespace, "late");
    lab.create(vec![late]).await;
    lab.all_ready(&namespace, COUNT + 1).await;

    lab.clean(&namespace).await;
    next.stop().await.unwrap();
}

/// Every child exists once, no other objects exist, and every application is Ready.
async fn as_rendered(lab: &Lab, namespace: &str, apps: &[idp_api::WebApplication]) {
    let objects = lab.objects(namespace).await.unwrap();
    let wanted = rendered(apps);
    let uid_of = |name: &str| {
        objects
            .get(&(APPLICATION, name.to_owned()))
            .and_then(|app| app.uid())
    };
    let mut found = std::collections::BTreeSet::new();
    for ((kind, name), object) in &objects {
        if *kind == APPLICATION {
            continue;
        }
        let owners = object.owner_references();
        let Some(owner) = owners.first().filter(|owner| owner.kind == "WebApplication") else {
            // Kubernetes derives some objects from ours, such as EndpointSlices; none has one of our kinds.
            panic!("{kind} {name} has no owner: {owners:?}");
        };
        assert_eq!(
            Some(&owner.uid),
            uid_of(&owner.name).as_ref(),
            "{kind} {name} is orphaned"
        );
        found.insert((*kind, name.clone()));
    }
    let missing: Vec<_> = wanted.difference(&found).collect();
    let surplus: Vec<_> = found.difference(&wanted).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "missing {missing:?}, surplus {surplus:?}"
    );
    for app in lab.apps(namespace).list(&ListParams::default()).await.unwrap() {
        let status = app.status.as_ref().expect("a status");
        let synced = status
            .conditions
            .iter()
            .find(|condition| condition.type_ == SYNCED);
        assert!(
            synced.is_some_and(|synced| synced.is_true()),
            "{}: {:?}",
            app.name_any(),
            status.problems
        );
        assert!(
            !status.problems.iter().any(idp_core::Problem::is_error),
            "{}: {:?}",
            app.name_any(),
            status.problems
        );
    }
}

//! Each field reaches its child when it is set, and leaves no trace when it is removed.

use std::time::Duration;

use futures::{StreamExt, stream};
use idp_api::WebApplicationSpec;
use idp_testkit::eventually;
use idp_webapp::kinds::DEPLOYMENT;
use kube::{
    ResourceExt,
    api::{WatchEvent, WatchParams},
};
use serde_json::json;

use crate::{
    fragments::{Arrival, Fragment, base, fragments, with},
    lab::{Children, Lab, contents},
};

#[tokio::test(flavor = "multi_thread")]
async fn fields_reach_children_and_are_removed_again() {
    let lab = &Lab::new("changes").await;
    // Six at a time: the two cores also run the cluster.
    let checked = stream::iter(fragments("unused"))
        .map(|fragment| async move { Box::pin(check(lab, fragment.name)).await })
        .buffer_unordered(6)
        .count()
        .await;
    assert!(checked >= 25, "only {checked} fragments");
    lab.test.delete_namespace(&lab.ns).await.unwrap();
}

async fn check(lab: &Lab, name: &'static str) {
    let app = base(&lab.ns, name);
    let host = format!("{name}-{}", lab.ns);
    let mut all = fragments(&host).into_iter();
    let fragment: Fragment = all.find(|fragment| fragment.name == name).unwrap();
    let changed = with(&app.spec, &fragment.spec);
    lab.create(&app).await;
    let plain = lab.as_rendered(name, &app.spec).await;
    for arrival in &fragment.arrives {
        assert!(
            !has(&plain, name, arrival),
            "{name}: {} is there already",
            arrival.at
        );
    }

    lab.write(name, &changed).await;
    let first = lab.as_rendered(name, &changed).await;
    assert_ne!(contents(&first), contents(&plain), "{name}: nothing has changed");
    for arrival in &fragment.arrives {
        assert!(
            has(&first, name, arrival),
            "{name}: {} did not arrive",
            arrival.at
        );
    }

    lab.write(name, &app.spec).await;
    becomes(lab, name, &app.spec, &plain).await;
    lab.write(name, &changed).await;
    becomes(lab, name, &changed, &first).await;
}

/// Waits until the children equal `expected`, without additional fields.
async fn becomes(lab: &Lab, name: &str, spec: &WebApplicationSpec, expected: &Children) {
    let expected = contents(expected);
    eventually(&format!("{name} in {} is as it was", lab.ns), || async {
        let actual = contents(&lab.check_rendered(name, spec).await?);
        for (child, content) in &actual {
            if Some(content) != expected.get(child) {
                return Err(format!(
                    "{child:?} is {content}, and was {:?}",
                    expected.get(child)
                ));
            }
        }
        Ok(())
    })
    .await;
}

/// Whether a child of the kind, whose name begins with the application's, has the value.
fn has(children: &Children, name: &str, arrival: &Arrival) -> bool {
    let mut children = children.iter();
    children.any(|((kind, child), object)| {
        *kind == arrival.kind
            && child.starts_with(name)
            && serde_json::to_value(object).unwrap().pointer(arrival.at) == Some(&arrival.value)
    })
}

/// KubeVela #7278: a component that was removed and soon added again was lost.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_changes_and_reverts_lose_nothing() {
    const SEED: u64 = 7278;
    let lab = Lab::new("back").await;
    let host = format!("shop-{}", lab.ns);
    let mut all = fragments(&host);
    // The API server accepts these only with the ports that they name, which another fragment may replace.
    all.retain(|fragment| !["encrypted", "grpc"].contains(&fragment.name));
    let mut app = base(&lab.ns, "shop");
    for name in ["hosts", "outbound", "jobs", "files", "objectives"] {
        let fragment = all.iter().find(|fragment| fragment.name == name).unwrap();
        app.spec = with(&app.spec, &fragment.spec);
    }
    lab.create(&app).await;
    let before = lab.as_rendered("shop", &app.spec).await;
    let mut random = SplitMix(SEED);
    for round in 0..200 {
        // Each round changes several fields, and may remove some.
        let mut other = app.spec.clone();
        for _ in 0..=random.below(3) {
            other = with(&other, &all[random.below(all.len())].spec);
            if other.autoscaling.is_some() {
                other.replicas = None;
            }
        }
        for _ in 0..random.below(3) {
            let field = ["routes", "access", "jobs", "configFiles", "observability"][random.below(5)];
            other = with(&other, &json!({field: null}));
        }
        lab.write("shop", &other).await;
        // Sometimes the controller has time to act on it.
        tokio::time::sleep(Duration::from_millis(random.below(60) as u64)).await;
        lab.write("shop", &app.spec).await;
        if round % 50 == 49 {
            becomes(&lab, "shop", &app.spec, &before).await;
        }
    }
    becomes(&lab, "shop", &app.spec, &before).await;
    lab.end().await;
}

/// A small pseudo-random number generator; the seed makes failures reproducible.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

/// A field that is no longer applied would fall back to its default, 1.
#[tokio::test(flavor = "multi_thread")]
async fn handing_the_number_of_pods_to_the_autoscaler_keeps_it() {
    let lab = Lab::new("handover").await;
    let mut app = base(&lab.ns, "shop");
    app.spec.replicas = Some(5);
    lab.create(&app).await;
    lab.as_rendered("shop", &app.spec).await;
    let scaled =
        json!({"replicas": null, "autoscaling": {"minReplicas": 5, "maxReplicas": 8, "cpuPercent": 50}});
    let scaled = with(&app.spec, &scaled);

    let watched = watch_replicas(&lab).await;
    lab.write("shop", &scaled).await;
    lab.as_rendered("shop", &scaled).await;
    // Removing the autoscaler must not do it either.
    lab.write("shop", &app.spec).await;
    lab.as_rendered("shop", &app.spec).await;
    let seen = watched.await.unwrap();
    assert!(
        seen.iter().all(|replicas| *replicas == 5),
        "replicas were {seen:?}"
    );
    lab.end().await;
}

/// `spec.replicas` in every version of the Deployment, for the next ten seconds.
async fn watch_replicas(lab: &Lab) -> tokio::task::JoinHandle<Vec<u64>> {
    let objects = lab.objects(DEPLOYMENT);
    let version = objects.get("shop").await.unwrap().resource_version().unwrap();
    tokio::spawn(async move {
        let params = WatchParams::default().fields("metadata.name=shop").timeout(10);
        let events = objects.watch(&params, &version).await.unwrap();
        let replicas = events.filter_map(|event| async move {
            match event.unwrap() {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    object.data["spec"]["replicas"].as_u64()
                }
                _ => None,
            }
        });
        replicas.collect().await
    })
}

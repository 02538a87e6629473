//! The driver against a real API server, with a test resource and a controller for it.
//!
//! One controller runs; the scenarios come one after the other, each in a namespace of its own.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod widget;
mod world;

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::{
    ResourceExt,
    api::{Api, DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use widget::Widget;
use world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn driver() {
    let mut world = World::new().await;
    world.start();
    quiet_after_creation(&world).await;
    drift_is_reverted(&world).await;
    foreign_objects_are_left_alone(&world).await;
    surplus_is_pruned(&world).await;
    refusals_become_problems(&world).await;
    related_objects_are_seen(&world).await;
    finalizer_holds(&world).await;
    nothing_is_written_after_a_restart(&mut world).await;
    successor_takes_over(&mut world).await;
}

async fn quiet_after_creation(world: &World) {
    let place = world.namespace("quiet").await;
    let before = world.requests();
    place
        .widget(
            "web",
            json!({ "maps": { "a": { "k": "1" }, "b": { "k": "2" } }, "extra": "service" }),
        )
        .await;
    place
        .until("web", |widget| ready(widget) && children(widget) == 3)
        .await;
    world.settle().await;
    // Finalizer, three children, one status (two when the first children's facts came later), one event.
    let spent = world.requests() - before;
    assert!((6..=7).contains(&spent), "{spent} requests, {:?}", world.log());
    let quiet = world.requests();
    let note = json!({ "metadata": { "annotations": { "touched": "yes" } } });
    place
        .widgets
        .patch("web", &PatchParams::default(), &Patch::Merge(&note))
        .await
        .unwrap();
    world.settle().await;
    assert_eq!(world.requests() - quiet, 0, "{:?}", world.log());
}

async fn drift_is_reverted(world: &World) {
    let place = world.namespace("drift").await;
    place
        .widget(
            "web",
            json!({ "maps": { "a": { "k": "1" } }, "extra": "service" }),
        )
        .await;
    place.until("web", ready).await;
    world.settle().await;
    let patch = json!({ "data": { "k": "changed" } });
    place
        .maps
        .patch("web-a", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    place
        .until_map("web-a", |map| map.data.as_ref().unwrap()["k"] == "1")
        .await;
    let patch = json!({ "data": { "k": null } });
    place
        .maps
        .patch("web-a", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    place
        .until_map("web-a", |map| {
            map.data.as_ref().is_some_and(|data| data["k"] == "1")
        })
        .await;
    // Without its label the cache loses sight of it.
    let patch = json!({ "metadata": { "labels": { "app.kubernetes.io/managed-by": null } } });
    place
        .maps
        .patch("web-a", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    place
        .until_map("web-a", |map| {
            map.labels().contains_key("app.kubernetes.io/managed-by")
        })
        .await;
    let patch = json!({ "metadata": { "ownerReferences": null } });
    place
        .maps
        .patch("web-a", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    place
        .until_map("web-a", |map| !map.owner_references().is_empty())
        .await;
    let uid = place.maps.get("web-a").await.unwrap().uid();
    place
        .maps
        .delete("web-a", &DeleteParams::default())
        .await
        .unwrap();
    place.until_map("web-a", |map| map.uid() != uid).await;
    // A field that we never wrote is nobody's business.
    world.settle().await;
    let before = world.requests();
    let services: Api<Service> = Api::namespaced(world.admin.clone(), &place.name);
    let patch = json!({ "spec": { "sessionAffinity": "ClientIP" } });
    services
        .patch("web-extra", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    world.settle().await;
    assert_eq!(world.requests() - before, 0, "{:?}", world.log());
}

async fn foreign_objects_are_left_alone(world: &World) {
    let place = world.namespace("foreign").await;
    let foreign: ConfigMap =
        serde_json::from_value(json!({ "metadata": { "name": "web-a" }, "data": { "k": "theirs" } }))
            .unwrap();
    let foreign = place.maps.create(&PostParams::default(), &foreign).await.unwrap();
    place
        .widget("web", json!({ "maps": { "a": { "k": "1" }, "b": { "k": "2" } } }))
        .await;
    let widget = place.until("web", |widget| has(widget, "NameTaken")).await;
    assert_eq!(children(&widget), 1, "the others are applied");
    world.settle().await;
    assert_eq!(
        place.maps.get("web-a").await.unwrap().resource_version(),
        foreign.resource_version()
    );
    let adopt = json!({ "metadata": { "annotations": { "idp.dev/adopt-by": "web" } } });
    place
        .maps
        .patch("web-a", &PatchParams::default(), &Patch::Merge(&adopt))
        .await
        .unwrap();
    place.touch("web").await;
    place
        .until("web", |widget| ready(widget) && children(widget) == 2)
        .await;
    let map = place.maps.get("web-a").await.unwrap();
    assert_eq!((map.uid(), map.data.unwrap()["k"].as_str()), (foreign.uid(), "1"));
}

async fn surplus_is_pruned(world: &World) {
    let place = world.namespace("prune").await;
    place
        .widget("web", json!({ "maps": { "a": { "k": "1" }, "b": { "k": "2" } } }))
        .await;
    place
        .until("web", |widget| ready(widget) && children(widget) == 2)
        .await;
    place
        .widget("web", json!({ "maps": { "a": { "k": "1" } }, "extra": "refuse" }))
        .await;
    place
        .until("web", |widget| has(widget, "Refused") && children(widget) == 2)
        .await;
    assert!(
        place.maps.get_opt("web-b").await.unwrap().is_some(),
        "no plan, no pruning"
    );
    place
        .widget("web", json!({ "maps": { "a": { "k": "1" } }, "extra": null }))
        .await;
    place
        .until("web", |widget| ready(widget) && children(widget) == 1)
        .await;
    world.settle().await;
    assert!(place.maps.get_opt("web-b").await.unwrap().is_none());
    assert!(place.maps.get_opt("web-a").await.unwrap().is_some());
}

async fn refusals_become_problems(world: &World) {
    let place = world.namespace("refused").await;
    place.widget("typo", json!({ "extra": "typo" })).await;
    place.until("typo", |widget| has(widget, "Invalid")).await;
    place
        .widget("absent", json!({ "extra": "absent", "maps": { "a": {} } }))
        .await;
    let widget = place.until("absent", |widget| has(widget, "KindNotServed")).await;
    assert_eq!(children(&widget), 1);
    world.settle().await;
    let before = world.requests();
    world.settle().await;
    assert_eq!(
        world.requests() - before,
        0,
        "problems are not retried in a hurry: {:?}",
        world.log()
    );
}

async fn related_objects_are_seen(world: &World) {
    let place = world.namespace("related").await;
    place.widget("web", json!({})).await;
    place.until("web", ready).await;
    world.annotate_namespace(&place.name, "hello").await;
    place.until("web", |widget| fact(widget, "note") == "hello").await;
}

async fn finalizer_holds(world: &World) {
    let place = world.namespace("held").await;
    place
        .widget("web", json!({ "hold": true, "maps": { "a": { "k": "1" } } }))
        .await;
    place.until("web", ready).await;
    place
        .widgets
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    place
        .until("web", |widget| {
            widget
                .status
                .as_ref()
                .is_some_and(|status| status.children == ["held"])
        })
        .await;
    place.widget("web", json!({ "hold": false })).await;
    for _ in 0..1200 {
        if place.widgets.get_opt("web").await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the widget is still there");
}

async fn nothing_is_written_after_a_restart(world: &mut World) {
    world.stop().await;
    let before = world.requests();
    world.start();
    world.ready().await;
    world.settle().await;
    let writes: Vec<_> = world
        .log()
        .into_iter()
        .skip(usize::try_from(before).unwrap())
        .collect();
    // What was refused before is tried once more.
    let unexpected: Vec<_> = writes
        .iter()
        .filter(|line| !line.contains("typo") && !line.contains("/leases/"))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}

async fn successor_takes_over(world: &mut World) {
    world.stop().await;
    world.electing = true;
    world.start();
    world.ready().await;
    let first = world.take();
    world.start();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let place = world.namespace("leader").await;
    let began = std::time::Instant::now();
    World::end(first).await;
    place
        .widget("web", json!({ "maps": { "a": { "k": "1" } } }))
        .await;
    place.until("web", ready).await;
    // Before the Lease runs out that the first one gave back.
    assert!(
        began.elapsed() < Duration::from_secs(14),
        "took {:?}",
        began.elapsed()
    );
    world.stop().await;
}

fn ready(widget: &Widget) -> bool {
    let generation = widget.metadata.generation;
    let conditions = widget.status.iter().flat_map(|status| &status.conditions);
    conditions
        .into_iter()
        .any(|condition| condition.is_true() && condition.observed_generation == generation)
}

fn children(widget: &Widget) -> usize {
    widget.status.as_ref().map_or(0, |status| status.children.len())
}

fn has(widget: &Widget, reason: &str) -> bool {
    widget
        .status
        .iter()
        .flat_map(|status| &status.problems)
        .any(|problem| problem.reason == reason)
}

fn fact(widget: &Widget, name: &str) -> String {
    widget
        .status
        .as_ref()
        .and_then(|status| status.facts.get(name).cloned())
        .unwrap_or_default()
}

use serde_json::json;

use super::*;
use crate::{
    apply::retry::Retry,
    fake::Fake,
    store::{kind_store::Serving, watch::Watch},
};

const MAPS: Kind = Kind::namespaced("", "v1", "ConfigMap", "configmaps");
const ABSENT: Kind = Kind::namespaced("absent.dev", "v1", "Absent", "absents");
const WIDGETS: Kind = Kind::namespaced("test.idp.dev", "v1", "Widget", "widgets");

struct Bench {
    fake: Fake,
    applier: Applier,
    parent: Parent,
}

impl Bench {
    fn new() -> Self {
        let fake = Fake::default();
        let identity = Identity {
            name: "idp-widgets",
            kind: WIDGETS,
        };
        let watches = vec![
            Watch::children(MAPS).elsewhere().outlive(),
            Watch::children(ABSENT),
        ];
        let caches = Arc::new(Stores::new(watches, identity));
        for cache in caches.iter() {
            cache.relist_began();
            cache.relist_done();
        }
        let api = Api::new(fake.client(), identity.name);
        let parent = Parent {
            key: ObjectKey::new("shop", "web"),
            uid: "owner".into(),
            elsewhere: vec!["gateway".into()],
        };
        Self {
            fake,
            applier: Applier::new(&api, &caches, identity),
            parent,
        }
    }

    async fn apply(&self, children: Vec<Child>) -> (Progress, Vec<String>) {
        let plan = Plan {
            children,
            ..Plan::default()
        };
        let progress = self.applier.apply(&self.parent, plan).await;
        (progress, self.fake.take_log())
    }
}

fn map(name: &str, value: &str) -> Child {
    let metadata = serde_json::from_value(json!({
        "name": name, "namespace": "shop", "labels": { "app.kubernetes.io/managed-by": "idp-widgets" },
    }));
    Child::typed(MAPS, &metadata.unwrap(), &json!({ "data": { "k": value } }))
}

fn path(name: &str) -> String {
    format!("/api/v1/namespaces/shop/configmaps/{name}")
}

fn reasons(progress: &Progress) -> Vec<&str> {
    progress
        .applied
        .problems
        .iter()
        .map(|problem| problem.reason.as_str())
        .collect()
}

#[tokio::test]
async fn what_must_be_a_certain_object_is_never_made_in_its_place() {
    let bench = Bench::new();
    let (progress, _) = bench.apply(vec![map("a", "1")]).await;
    let uid = progress.applied.children[0].uid.clone();
    let it = |value| vec![map("a", value).existing(Some(uid.clone()))];
    let (progress, log) = bench.apply(it("2")).await;
    assert_eq!((progress.retry, log.len()), (Retry::No, 1), "{log:?}");
    // Somebody deletes it between what the plan was made of and the plan.
    bench.applier.caches.children(MAPS).unwrap().relist_began();
    bench.applier.caches.children(MAPS).unwrap().relist_done();
    let (progress, log) = bench.apply(it("3")).await;
    assert_eq!((progress.retry, log), (Retry::Soon, Vec::new()));
    assert_eq!(reasons(&progress), ["Conflict"]);
}

#[tokio::test]
async fn one_request_creates_and_the_second_reconcile_sends_none() {
    let bench = Bench::new();
    let (progress, log) = bench.apply(vec![map("a", "1"), map("b", "1")]).await;
    assert_eq!((progress.retry, log.len()), (Retry::No, 2), "{log:?}");
    let (progress, log) = bench.apply(vec![map("a", "1"), map("b", "1")]).await;
    assert_eq!((progress.applied.children.len(), log.len()), (2, 0), "{log:?}");
    let (_, log) = bench.apply(vec![map("a", "2"), map("b", "1")]).await;
    assert_eq!(log, [format!("PATCH {}", path("a"))]);
    let body = bench.fake.last_body();
    assert_eq!(body["metadata"]["ownerReferences"][0]["uid"], "owner");
    assert!(body["metadata"]["uid"].is_string() && body["metadata"]["resourceVersion"].is_null());
}

#[tokio::test]
async fn a_foreign_object_is_never_changed() {
    let bench = Bench::new();
    let foreign = json!({ "metadata": { "name": "a", "namespace": "shop" }, "data": { "k": "theirs" } });
    let foreign = bench.fake.put(&path("a"), foreign);
    let (progress, log) = bench.apply(vec![map("a", "1"), map("b", "1")]).await;
    assert_eq!(
        (reasons(&progress), progress.retry),
        (vec!["NameTaken"], Retry::Poll),
        "its deletion is no event"
    );
    assert_eq!(
        log.len(),
        3,
        "a refused write, a look, and the other child: {log:?}"
    );
    assert_eq!(bench.fake.object(&path("a")), Some(foreign));
    assert_eq!(progress.applied.children.len(), 1);
}

#[tokio::test]
async fn an_object_of_ours_that_the_cache_lost_is_found_again() {
    let bench = Bench::new();
    let ours = json!({ "metadata": { "name": "a", "namespace": "shop", "ownerReferences": [{
        "apiVersion": "test.idp.dev/v1", "kind": "Widget", "name": "web", "uid": "owner", "controller": true,
    }] } });
    let ours = bench.fake.put(&path("a"), ours);
    let (progress, log) = bench.apply(vec![map("a", "1")]).await;
    assert_eq!((progress.retry, log.len()), (Retry::No, 3));
    assert_eq!(
        bench.fake.object(&path("a")).unwrap()["metadata"]["uid"],
        ours["metadata"]["uid"]
    );
}

#[tokio::test]
async fn an_object_replaced_behind_our_back_is_left_alone() {
    let bench = Bench::new();
    bench.apply(vec![map("a", "1")]).await;
    let mut foreign = bench.fake.object(&path("a")).unwrap();
    foreign["metadata"]["uid"] = json!("another");
    foreign["metadata"]["managedFields"] = json!([]);
    bench.fake.replace(&path("a"), foreign.clone());
    let (progress, _) = bench.apply(vec![map("a", "2")]).await;
    assert_eq!(
        (reasons(&progress), progress.retry),
        (vec!["Conflict"], Retry::Soon)
    );
    assert_eq!(bench.fake.object(&path("a")), Some(foreign));
}

#[tokio::test]
async fn surplus_is_deleted_by_uid_and_only_after_everything_was_applied() {
    let bench = Bench::new();
    bench.apply(vec![map("a", "1"), map("b", "1")]).await;
    bench.fake.refuse(&path("a"), 422, "no");
    let (progress, log) = bench.apply(vec![map("a", "2")]).await;
    assert_eq!(
        (reasons(&progress), log.len()),
        (vec!["Invalid"], 1),
        "no pruning after a refusal: {log:?}"
    );
    assert_eq!(
        progress.applied.children.len(),
        1,
        "what was there before is still in the inventory"
    );
    let (_, log) = bench.apply(vec![map("a", "1")]).await;
    assert_eq!(log, [format!("DELETE {}", path("b"))]);
    assert!(bench.fake.last_body()["preconditions"]["uid"].is_string());
    let (_, log) = bench.apply(vec![map("a", "1")]).await;
    assert!(log.is_empty(), "deleted once: {log:?}");
}

#[tokio::test]
async fn a_refusal_stops_later_waves_and_nothing_else() {
    let bench = Bench::new();
    bench.fake.refuse(&path("a"), 403, "forbidden: exceeded quota: x");
    let (progress, log) = bench
        .apply(vec![map("c", "1").in_wave(1), map("a", "1"), map("b", "1")])
        .await;
    assert_eq!(reasons(&progress), ["QuotaExceeded"]);
    assert_eq!(log.len(), 2, "{log:?}");
}

#[tokio::test]
async fn held_children_are_neither_written_nor_pruned() {
    let bench = Bench::new();
    let (progress, log) = bench.apply(vec![map("a", "1").held("a migration")]).await;
    assert!(progress.applied.children.is_empty() && log.is_empty());
    bench.apply(vec![map("a", "1")]).await;
    let (progress, log) = bench.apply(vec![map("a", "2").held("a migration")]).await;
    assert!(log.is_empty());
    assert_eq!(progress.applied.children[0].held.as_deref(), Some("a migration"));
}

#[tokio::test]
async fn a_kind_that_is_not_served_is_one_problem_and_no_request() {
    let bench = Bench::new();
    bench
        .applier
        .caches
        .children(ABSENT)
        .unwrap()
        .not_served(Serving::Missing);
    let absent = |name: &str| {
        let metadata = serde_json::from_value(json!({ "name": name, "namespace": "shop" })).unwrap();
        Child::with_spec(ABSENT, &metadata, json!({}))
    };
    let (progress, log) = bench.apply(vec![absent("a"), absent("b"), map("c", "1")]).await;
    assert_eq!((reasons(&progress), log.len()), (vec!["KindNotServed"], 1));
}

#[tokio::test]
async fn a_namespace_that_is_going_is_no_problem() {
    let bench = Bench::new();
    bench.fake.refuse(
        &path("a"),
        403,
        "unable to create new content because it is being terminated",
    );
    let (progress, _) = bench.apply(vec![map("a", "1")]).await;
    assert!(progress.namespace_gone && reasons(&progress).is_empty());
}

#[tokio::test]
async fn fields_that_the_server_drops_are_reported_and_not_written_again() {
    let bench = Bench::new();
    bench.fake.drop_field("data");
    let (progress, _) = bench.apply(vec![map("a", "1")]).await;
    assert_eq!(
        (reasons(&progress), progress.retry),
        (vec!["FieldsDropped"], Retry::No)
    );
    let (progress, log) = bench.apply(vec![map("a", "1")]).await;
    assert_eq!((reasons(&progress), log.len()), (vec!["FieldsDropped"], 0));
}

#[tokio::test]
async fn a_field_that_is_given_up_gets_a_second_owner_first() {
    let bench = Bench::new();
    bench.apply(vec![map("a", "1")]).await;
    let metadata = serde_json::from_value(json!({
        "name": "a", "namespace": "shop", "labels": { "app.kubernetes.io/managed-by": "idp-widgets" },
    }));
    let without =
        Child::typed(MAPS, &metadata.unwrap(), &json!({ "data": {} })).yielding("/data/k", json!("1"));
    let (_, log) = bench.apply(vec![without.clone()]).await;
    assert_eq!(
        log,
        [format!("PATCH {}", path("a")), format!("PATCH {}", path("a"))]
    );
    let (_, log) = bench.apply(vec![without]).await;
    assert!(log.is_empty(), "{log:?}");
}

fn elsewhere(name: &str) -> Child {
    let metadata = serde_json::from_value(json!({
        "name": name, "namespace": "gateway", "labels": { "app.kubernetes.io/managed-by": "idp-widgets" },
    }));
    Child::typed(MAPS, &metadata.unwrap(), &json!({ "data": { "k": "1" } }))
}

#[tokio::test]
async fn a_child_in_another_namespace_is_owned_by_label() {
    let bench = Bench::new();
    let (progress, log) = bench.apply(vec![elsewhere("a"), map("b", "1")]).await;
    assert_eq!((progress.retry, log.len()), (Retry::No, 2), "{log:?}");
    let object = bench
        .fake
        .object("/api/v1/namespaces/gateway/configmaps/a")
        .unwrap();
    assert!(
        object["metadata"].get("ownerReferences").is_none(),
        "it would be collected at once"
    );
    assert_eq!(object["metadata"]["labels"]["idp.dev/owner-uid"], "owner");
    assert_eq!(object["metadata"]["annotations"]["idp.dev/owner"], "shop/web");
    let (progress, log) = bench.apply(vec![elsewhere("a"), map("b", "1")]).await;
    assert_eq!((progress.applied.children.len(), log.len()), (2, 0), "{log:?}");
    let (_, log) = bench.apply(vec![map("b", "1")]).await;
    assert_eq!(log, ["DELETE /api/v1/namespaces/gateway/configmaps/a"]);
}

#[tokio::test]
async fn what_cannot_be_collected_goes_before_its_owner() {
    let bench = Bench::new();
    bench
        .apply(vec![elsewhere("a"), map("b", "1"), map("data", "1").detached()])
        .await;
    assert!(
        !bench.applier.pruner.release(&bench.parent).await,
        "it was there until now"
    );
    assert_eq!(
        bench.fake.take_log(),
        ["DELETE /api/v1/namespaces/gateway/configmaps/a"],
        "owner references see to the second, and nothing to the third"
    );
}

#[tokio::test]
async fn what_is_detached_is_never_pruned_and_finds_its_next_owner() {
    let mut bench = Bench::new();
    bench.apply(vec![map("data", "1").detached()]).await;
    let (_, log) = bench.apply(Vec::new()).await;
    assert!(log.is_empty(), "{log:?}");
    bench.parent.uid = "second".into();
    let (progress, log) = bench.apply(vec![map("data", "1").detached()]).await;
    assert_eq!(reasons(&progress), Vec::<&str>::new());
    assert_eq!(log, [format!("PATCH {}", path("data"))]);
    let object = bench.fake.object(&path("data")).unwrap();
    assert_eq!(object["metadata"]["labels"]["idp.dev/owner-uid"], "second");
    bench.parent.key.name = "other".into();
    let (progress, _) = bench.apply(vec![map("data", "1").detached()]).await;
    assert_eq!(reasons(&progress), ["NameTaken"], "only its namesake");
}

#[tokio::test]
async fn nothing_is_written_that_would_not_be_found_again() {
    let mut bench = Bench::new();
    bench.parent.elsewhere.clear();
    let (progress, log) = bench.apply(vec![elsewhere("a")]).await;
    assert_eq!((reasons(&progress), log), (vec!["KindNotWatched"], Vec::new()));
}

#[tokio::test]
async fn who_hands_over_an_object_of_another_namespace_names_both() {
    let bench = Bench::new();
    let path = "/api/v1/namespaces/gateway/configmaps/a";
    let handed = |to: &str| json!({ "metadata": { "name": "a", "namespace": "gateway", "annotations": { "idp.dev/adopt-by": to } } });
    bench.fake.put(path, handed("web"));
    let (progress, _) = bench.apply(vec![elsewhere("a")]).await;
    assert_eq!(
        reasons(&progress),
        ["NameTaken"],
        "any namespace may have a `web`"
    );
    assert!(
        progress.applied.problems[0]
            .hint
            .as_ref()
            .unwrap()
            .contains("adopt-by=shop/web")
    );
    bench.fake.put(path, handed("shop/web"));
    let (progress, _) = bench.apply(vec![elsewhere("a")]).await;
    assert_eq!(reasons(&progress), Vec::<&str>::new());
}

#[tokio::test]
async fn a_missing_namespace_that_is_not_the_owners_is_told() {
    let bench = Bench::new();
    bench.fake.refuse(
        "/api/v1/namespaces/gateway/configmaps/a",
        403,
        "unable to create new content because it is being terminated",
    );
    let (progress, _) = bench.apply(vec![elsewhere("a")]).await;
    assert!(!progress.namespace_gone, "the owner is still to be told");
    assert_eq!(
        (reasons(&progress), progress.retry),
        (vec!["NamespaceMissing"], Retry::Poll)
    );
}

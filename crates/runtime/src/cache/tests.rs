use idp_core::Kind;
use serde_json::json;

use super::*;

const MAPS: Kind = Kind::namespaced("", "v1", "ConfigMap", "configmaps");
const WIDGETS: Kind = Kind::namespaced("test.idp.dev", "v1", "Widget", "widgets");

fn cache() -> Cache {
    let watch = Watch::children(MAPS).facts(|object| object.data.get("data").cloned().unwrap_or_default());
    Cache::new(
        watch,
        Identity {
            name: "idp-widgets",
            kind: WIDGETS,
        },
        Arc::default(),
    )
}

fn object(uid: &str, version: u64, fact: &str) -> DynamicObject {
    serde_json::from_value(json!({
        "metadata": {
            "name": "web", "namespace": "shop", "uid": uid, "resourceVersion": version.to_string(),
            "labels": { "app.kubernetes.io/managed-by": "idp-widgets" },
            "annotations": { "idp.dev/plan-hash": "00000000000000aa" },
            "ownerReferences": [{
                "apiVersion": "test.idp.dev/v1", "kind": "Widget", "name": "owner", "uid": "o", "controller": true,
            }],
            "managedFields": [{ "manager": "idp-widgets", "operation": "Apply", "fieldsV1": { "f:data": {} } }],
        },
        "data": fact,
    }))
    .unwrap()
}

fn key() -> ObjectKey {
    ObjectKey::new("shop", "web")
}

fn owner() -> Vec<Wake> {
    vec![Wake::One(ObjectKey::new("shop", "owner"))]
}

#[test]
fn only_what_a_reconcile_would_see_wakes_the_owner() {
    let cache = cache();
    assert_eq!(cache.observe(object("u", 5, "a")), owner());
    assert!(
        cache.observe(object("u", 6, "a")).is_empty(),
        "a version alone says nothing"
    );
    assert_eq!(cache.observe(object("u", 7, "b")), owner());
    assert!(
        cache.observe(object("u", 6, "old")).is_empty(),
        "older than what is known"
    );
    assert_eq!(*cache.get(&key()).unwrap().facts, json!("b"));
}

#[test]
fn our_own_writes_wake_nobody_whichever_comes_first() {
    let cache = cache();
    let hash = PlanHash::parse("00000000000000aa").unwrap();
    cache.expect(&key(), hash);
    cache.written(&key(), object("u", 5, "a"));
    assert!(cache.observe(object("u", 5, "a")).is_empty());
    let cache = self::cache();
    cache.expect(&key(), hash);
    assert!(cache.observe(object("u", 5, "a")).is_empty());
    assert_eq!(
        cache.observe(object("u", 6, "b")),
        owner(),
        "what follows our write counts"
    );
    assert_eq!(
        cache.written(&key(), object("u", 5, "a")).0.resource_version,
        6,
        "the newer record stays"
    );
}

#[test]
fn what_our_write_brought_along_is_told_once_whichever_comes_first() {
    let hash = PlanHash::parse("00000000000000aa").unwrap();
    let mut before = object("u", 4, "a");
    before.metadata.annotations = None;
    // Somebody wrote "b" just before us.
    let cache = cache();
    cache.observe(before.clone());
    cache.expect(&key(), hash);
    assert!(cache.written(&key(), object("u", 6, "b")).1);
    assert!(cache.observe(object("u", 6, "b")).is_empty());
    let cache = self::cache();
    cache.observe(before.clone());
    cache.expect(&key(), hash);
    assert_eq!(cache.observe(object("u", 6, "b")), owner());
    assert!(!cache.written(&key(), object("u", 6, "b")).1);
    // A write that tells nothing else is no news.
    let cache = self::cache();
    cache.observe(before);
    assert!(!cache.written(&key(), object("u", 5, "a")).1);
}

#[test]
fn what_we_may_not_see_for_a_while_is_still_there() {
    let cache = cache();
    cache.observe(object("u", 5, "a"));
    cache.not_served(Serving::Forbidden);
    assert!(cache.get(&key()).is_some());
    cache.not_served(Serving::Missing);
    assert!(cache.get(&key()).is_none());
}

#[test]
fn deletions_count_only_for_the_object_that_is_known() {
    let cache = cache();
    cache.observe(object("new", 9, "a"));
    assert!(cache.vanish(&object("old", 8, "a")).is_empty());
    assert_eq!(cache.vanish(&object("new", 10, "a")), owner());
    assert!(cache.of_target(&ObjectKey::new("shop", "owner")).is_empty());
}

#[test]
fn an_object_deleted_before_its_write_was_answered_does_not_come_back() {
    let cache = cache();
    cache.expect(&key(), PlanHash::parse("00000000000000aa").unwrap());
    cache.observe(object("u", 5, "a"));
    cache.vanish(&object("u", 6, "a"));
    assert!(cache.written(&key(), object("u", 5, "a")).0.deleting);
    assert!(cache.get(&key()).is_none());
}

#[test]
fn a_relist_drops_what_it_does_not_bring_but_not_what_was_just_written() {
    let cache = cache();
    cache.observe(object("u", 5, "a"));
    cache.relist_began();
    assert_eq!(cache.relist_done(), owner());
    cache.relist_began();
    cache.written(&key(), object("v", 9, "a"));
    assert!(cache.relist_done().is_empty());
    assert!(cache.get(&key()).is_some());
}

#[test]
fn a_kind_that_appears_wakes_everybody() {
    let cache = cache();
    assert!(cache.not_served(Serving::Missing).is_empty());
    cache.relist_began();
    assert_eq!(cache.relist_done(), [Wake::All]);
    assert_eq!(cache.not_served(Serving::Missing), [Wake::All]);
}

#[test]
fn verdicts_last_as_long_as_fields_and_plan_do() {
    let cache = cache();
    let hash = PlanHash::parse("00000000000000aa").unwrap();
    cache.observe(object("u", 5, "a"));
    cache.judge(&key(), "u", Verdict::Covered(hash));
    cache.observe(object("u", 6, "b"));
    assert_eq!(cache.get(&key()).unwrap().verdict, Verdict::Covered(hash));
    let mut drifted = object("u", 7, "b");
    drifted.metadata.managed_fields = None;
    assert_eq!(cache.observe(drifted), owner());
    assert_eq!(cache.get(&key()).unwrap().verdict, Verdict::Unknown);
}

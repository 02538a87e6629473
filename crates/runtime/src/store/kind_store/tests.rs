use idp_core::Kind;
use serde_json::json;

use super::*;
use crate::object::parent::Parent;

const MAPS: Kind = Kind::namespaced("", "v1", "ConfigMap", "configmaps");
const WIDGETS: Kind = Kind::namespaced("test.idp.dev", "v1", "Widget", "widgets");

fn cache() -> Arc<KindStore> {
    Arc::new(cache_of(Watch::children(MAPS)))
}

fn cache_of(watch: Watch) -> KindStore {
    let watch = watch.facts(|object| object.data.get("data").cloned().unwrap_or_default());
    KindStore::new(
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

fn owner() -> Vec<Requeue> {
    vec![Requeue::One(ObjectKey::new("shop", "owner"))]
}

#[test]
fn only_changes_that_a_reconcile_sees_requeue_the_owner() {
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
    let _expected = cache.expect(&key(), hash);
    cache.written(&key(), object("u", 5, "a"));
    assert!(cache.observe(object("u", 5, "a")).is_empty());
    let cache = self::cache();
    let _expected = cache.expect(&key(), hash);
    assert!(cache.observe(object("u", 5, "a")).is_empty());
    assert_eq!(
        cache.observe(object("u", 6, "b")),
        owner(),
        "what follows our write counts"
    );
    assert_eq!(
        cache.written(&key(), object("u", 5, "a")).0.resource_version,
        6,
        "the newer entry stays"
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
    let _expected = cache.expect(&key(), hash);
    assert!(cache.written(&key(), object("u", 6, "b")).1);
    assert!(cache.observe(object("u", 6, "b")).is_empty());
    let cache = self::cache();
    cache.observe(before.clone());
    let _expected = cache.expect(&key(), hash);
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
    assert!(cache.observe_deletion(&object("old", 8, "a")).is_empty());
    assert_eq!(cache.observe_deletion(&object("new", 10, "a")), owner());
    assert!(cache.of_target(&ObjectKey::new("shop", "owner")).is_empty());
}

#[test]
fn an_object_deleted_before_its_write_was_answered_does_not_come_back() {
    let cache = cache();
    let _expected = cache.expect(&key(), PlanHash::parse("00000000000000aa").unwrap());
    cache.observe(object("u", 5, "a"));
    cache.observe_deletion(&object("u", 6, "a"));
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
fn a_new_kind_requeues_every_resource() {
    let cache = cache();
    assert!(cache.not_served(Serving::Missing).is_empty());
    cache.relist_began();
    assert_eq!(cache.relist_done(), [Requeue::All]);
    assert_eq!(cache.not_served(Serving::Missing), [Requeue::All]);
}

#[test]
fn verdicts_last_as_long_as_fields_and_plan_do() {
    let cache = cache();
    let hash = PlanHash::parse("00000000000000aa").unwrap();
    cache.observe(object("u", 5, "a"));
    cache.set_coverage(&key(), "u", Coverage::Covered(hash));
    cache.observe(object("u", 6, "b"));
    assert_eq!(cache.get(&key()).unwrap().coverage, Coverage::Covered(hash));
    let mut drifted = object("u", 7, "b");
    drifted.metadata.managed_fields = None;
    assert_eq!(cache.observe(drifted), owner());
    assert_eq!(cache.get(&key()).unwrap().coverage, Coverage::Unknown);
}

/// An object of `namespace` whose labels say that it belongs to `shop/owner` with UID `o`.
fn labelled(namespace: &str, detached: bool) -> DynamicObject {
    let mut object = object("u", 5, "a");
    object.metadata.namespace = Some(namespace.into());
    object.metadata.owner_references = None;
    object.metadata.managed_fields = None;
    let labels = object.metadata.labels.get_or_insert_default();
    labels.insert("idp.dev/owner-uid".into(), "o".into());
    let annotations = object.metadata.annotations.get_or_insert_default();
    annotations.insert("idp.dev/owner".into(), "shop/owner".into());
    if detached {
        annotations.insert("idp.dev/detached".into(), "true".into());
    }
    object
}

fn parent(uid: &str) -> Parent {
    Parent {
        key: ObjectKey::new("shop", "owner"),
        uid: uid.into(),
        elsewhere: vec!["gateways".into()],
    }
}

/// Whether it counts as a child of `shop/owner`, and the resources that it requeues.
fn counts(watch: Watch, object: DynamicObject, uid: &str) -> (bool, Vec<Requeue>) {
    let (cache, key) = (cache_of(watch), ObjectKey::of(&object));
    let requeues = cache.observe(object);
    let entry = cache.get(&key).unwrap();
    (entry.belongs_to(&key, &parent(uid)), requeues)
}

#[test]
fn labels_of_another_namespace_make_a_child_only_where_such_children_are_planned() {
    let children = Watch::children(MAPS);
    assert_eq!(counts(children, labelled("evil", false), "o"), (false, vec![]));
    assert_eq!(counts(children, labelled("shop", false), "o"), (false, vec![]));
    assert_eq!(
        counts(children.outlive(), labelled("evil", true), "o"),
        (false, vec![])
    );
    let by_uid = vec![Requeue::Owner(ObjectKey::new("shop", "owner"), "o".into())];
    let elsewhere = children.elsewhere();
    assert_eq!(
        counts(elsewhere, labelled("gateways", false), "o"),
        (true, by_uid.clone())
    );
    assert_eq!(
        counts(elsewhere, labelled("gateways", false), "other"),
        (false, by_uid.clone())
    );
    assert_eq!(counts(elsewhere, labelled("evil", false), "o"), (false, by_uid));
}

#[test]
fn only_kinds_that_outlive_their_owner_are_found_by_name() {
    let children = Watch::children(MAPS);
    assert_eq!(
        counts(children.outlive(), labelled("shop", true), "next"),
        (true, owner())
    );
    assert_eq!(
        counts(children.outlive(), labelled("shop", false), "next"),
        (false, owner())
    );
    // Whoever writes the annotation into another child does not give it to whatever has the name.
    let mut object = object("u", 5, "a");
    let annotations = object.metadata.annotations.get_or_insert_default();
    annotations.insert("idp.dev/detached".into(), "true".into());
    assert_eq!(counts(children, object.clone(), "next"), (false, owner()));
    assert_eq!(counts(children, object, "o"), (true, owner()));
}

#[test]
fn an_owner_reference_reaches_no_other_namespace() {
    let mut object = object("u", 5, "a");
    object.metadata.namespace = Some("evil".into());
    let evil = vec![Requeue::One(ObjectKey::new("evil", "owner"))];
    assert_eq!(counts(Watch::children(MAPS), object, "o"), (false, evil));
}

#[test]
fn what_lost_its_owner_is_ours_beside_the_resource_only() {
    let orphan = |namespace: &str| {
        let mut object = object("u", 5, "a");
        object.metadata.namespace = Some(namespace.into());
        object.metadata.owner_references = None;
        object
    };
    let elsewhere = Watch::children(MAPS).elsewhere();
    assert!(counts(elsewhere, orphan("shop"), "o").0);
    assert!(!counts(elsewhere, orphan("gateways"), "o").0);
}

#[test]
fn after_a_restore_of_etcd_a_list_with_lower_versions_is_believed() {
    let cache = cache();
    cache.observe(object("u", 1000, "new"));
    assert!(
        cache.observe(object("u", 10, "old")).is_empty(),
        "an event of before"
    );
    cache.relist_began();
    assert_eq!(cache.observe(object("u", 10, "old")), owner());
    assert!(cache.relist_done().is_empty());
    assert_eq!(*cache.get(&key()).unwrap().facts, json!("old"));
    assert_eq!(
        cache.observe(object("u", 11, "newer")),
        owner(),
        "and so is what follows"
    );

    // What was written while a list was under way may be older in it.
    cache.relist_began();
    cache.written(&key(), object("u", 12, "ours"));
    assert!(cache.observe(object("u", 11, "newer")).is_empty());
    assert!(cache.relist_done().is_empty());
    assert_eq!(*cache.get(&key()).unwrap().facts, json!("ours"));
}

#[test]
fn a_write_that_nobody_waits_for_any_more_is_over() {
    let cache = cache();
    cache.observe(object("u", 4, "a"));
    let hash = PlanHash::parse("00000000000000aa").unwrap();
    // The reconcile was dropped at its time limit, before the answer.
    drop(cache.expect(&key(), hash));
    assert!(cache.read().expected.is_empty());
}

#[test]
fn facts_are_made_without_holding_up_other_kinds() {
    use std::{sync::mpsc, thread};
    static GATE: std::sync::OnceLock<Mutex<mpsc::Receiver<()>>> = std::sync::OnceLock::new();
    let (open, gate) = mpsc::channel();
    GATE.set(Mutex::new(gate)).unwrap();
    let pool: Arc<Mutex<Pool>> = Arc::default();
    let identity = Identity {
        name: "idp-widgets",
        kind: WIDGETS,
    };
    let slow = Watch::children(MAPS).facts(|_| {
        GATE.get().unwrap().lock().unwrap().recv().unwrap();
        json!("slow")
    });
    let slow = KindStore::new(slow, identity, pool.clone());
    let quick = KindStore::new(Watch::children(MAPS), identity, pool);
    let parsing = thread::spawn(move || slow.extract(object("u", 1, "a")));
    thread::sleep(std::time::Duration::from_millis(50));
    let (done, finished) = mpsc::channel();
    thread::spawn(move || {
        quick.extract(object("u", 1, "a"));
        done.send(()).unwrap();
    });
    let in_time = finished.recv_timeout(std::time::Duration::from_secs(5));
    open.send(()).unwrap();
    assert!(in_time.is_ok(), "waited for the facts of another kind");
    assert_eq!(*parsing.join().unwrap().facts, json!("slow"));
}

#[test]
fn one_namespace_cannot_requeue_all_resources() {
    let related = |kind| Watch::related(kind, crate::store::watch::Targets::All, "a=b");
    assert!(related(MAPS).lets_tenants_requeue_all());
    assert!(
        !related(MAPS)
            .fields("metadata.namespace=idp-system")
            .lets_tenants_requeue_all()
    );
    assert!(!related(Kind::cluster("", "v1", "Namespace", "namespaces")).lets_tenants_requeue_all());
    let cache = KindStore::new(
        Watch::related(MAPS, crate::store::watch::Targets::Namespace, ""),
        Identity {
            name: "idp-widgets",
            kind: WIDGETS,
        },
        Arc::default(),
    );
    assert_eq!(
        cache.observe(object("u", 5, "a")),
        [Requeue::Namespace("shop".into())]
    );
}

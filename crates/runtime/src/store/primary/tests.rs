use serde_json::json;

use super::*;
use crate::{fake::Gadget, object::reading::RawObject};

fn seen(version: u32, uid: &str, spec: &Value) -> RawObject {
    let meta = json!({
        "name": "web", "namespace": "shop", "uid": uid, "resourceVersion": version.to_string(), "generation": version,
    });
    serde_json::from_value(json!({ "metadata": meta, "spec": spec })).unwrap()
}

fn observe(resources: &PrimaryStore<Gadget>, version: u32, spec: &Value) -> Option<usize> {
    let change = match seen(version, "u", spec).typed() {
        Ok(gadget) => resources.observe(gadget),
        Err(unreadable) => resources.observe_unreadable(*unreadable),
    };
    match change {
        Change::Known => None,
        Change::Changed { respecified } => Some(respecified.len()),
    }
}

fn resources() -> PrimaryStore<Gadget> {
    PrimaryStore::new(|_| Vec::new())
}

fn key() -> ObjectKey {
    ObjectKey::new("shop", "web")
}

#[test]
fn what_cannot_be_read_any_more_is_still_there_as_it_was() {
    let resources = self::resources();
    assert_eq!(observe(&resources, 1, &json!({"data": {"a": "1"}})), Some(1));
    let bad = json!({"data": {"a": "2"}, "count": 9_999_999_999_i64});
    assert_eq!(
        observe(&resources, 2, &bad),
        Some(0),
        "it must be explained; what it is has not changed"
    );
    assert_eq!(observe(&resources, 2, &bad), None);
    let kept = resources.get(&key()).unwrap();
    assert_eq!(kept.spec.data["a"], "1");
    assert_eq!(kept.metadata.resource_version.as_deref(), Some("2"));
    assert!(resources.ghost(&key()).unwrap().was_read);

    // A list that brings it, unreadable as it is, does not count it as gone.
    resources.relist_began();
    assert_eq!(observe(&resources, 2, &bad), None);
    assert!(resources.relist_done().is_empty());
    assert!(resources.contains(&key()));

    // Another of that name is another resource.
    let other = seen(3, "other", &json!({}));
    assert!(resources.observe_deletion(&other.metadata).is_none());
    let gone = resources.observe_deletion(&seen(3, "u", &bad).metadata).unwrap();
    assert_eq!(
        gone.last.unwrap().spec.data["a"],
        "1",
        "whom that concerns is told by what it was"
    );
    assert!(!resources.contains(&key()) && resources.ghost(&key()).is_none());
}

#[test]
fn what_could_never_be_read_is_known_as_far_as_it_goes_and_is_mended() {
    let resources = self::resources();
    let bad = json!({"data": {"a": "2"}, "count": 9_999_999_999_i64});
    assert_eq!(observe(&resources, 2, &bad), Some(1));
    assert_eq!(resources.get(&key()).unwrap().spec.data["a"], "2");
    assert!(
        !resources.ghost(&key()).unwrap().was_read,
        "but it is not acted upon"
    );
    assert_eq!(observe(&resources, 3, &json!({"count": 1})), Some(2));
    assert!(resources.ghost(&key()).is_none());

    // Nothing of it can be read.
    assert_eq!(
        observe(
            &resources,
            4,
            &json!({"data": 7, "panic": 7, "count": 1.5, "free": 1})
        ),
        Some(0)
    );
    assert_eq!(observe(&self::resources(), 1, &json!(7)), Some(0));
}

#[test]
fn after_a_restore_of_etcd_a_list_with_lower_versions_is_believed() {
    let resources = self::resources();
    observe(&resources, 1000, &json!({"count": 1}));
    assert_eq!(
        observe(&resources, 10, &json!({"count": 2})),
        None,
        "an event of before"
    );
    resources.relist_began();
    assert_eq!(observe(&resources, 10, &json!({"count": 2})), Some(2));
    assert!(resources.relist_done().is_empty());
    assert_eq!(resources.get(&key()).unwrap().spec.count, 2);
    assert_eq!(
        observe(&resources, 11, &json!({"count": 3})),
        Some(2),
        "and so is what follows"
    );

    // What was written while a list was under way may be older in it.
    resources.relist_began();
    let written = seen(12, "u", &json!({"count": 4})).typed::<Gadget>().unwrap();
    resources.wrote(&key(), written);
    assert_eq!(observe(&resources, 11, &json!({"count": 3})), None);
    assert_eq!(resources.get(&key()).unwrap().spec.count, 4);
}

#[test]
fn a_write_that_nobody_waits_for_any_more_is_over() {
    let resources = Arc::new(self::resources());
    let at = |version: u32| -> Gadget {
        let mut gadget: Gadget = seen(version, "u", &json!({})).typed().unwrap();
        gadget.metadata.generation = Some(1);
        gadget
    };
    resources.observe(at(1));
    let writing = resources.writing(&key());
    assert!(
        matches!(resources.observe(at(2)), Change::Known),
        "the event of our own write"
    );
    drop(writing);
    assert!(
        matches!(resources.observe(at(3)), Change::Changed { .. }),
        "somebody else's"
    );
}

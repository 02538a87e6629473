use idp_core::{Kind, Plan};

use super::*;
use crate::{apply::applier::Applier, fake::Fake, object::parent::Parent, store::watch::Watch};

const MAPS: Kind = Kind::namespaced("", "v1", "ConfigMap", "configmaps");
const PATH: &str = "/api/v1/namespaces/shop/configmaps/data";
const OTHER: &str = "/api/v1/namespaces/shop/configmaps/claimant";

fn bench() -> (Fake, Applier) {
    let fake = Fake::default();
    let identity = Identity {
        name: "idp-widgets",
        kind: MAPS,
    };
    let caches = Arc::new(Stores::new(vec![Watch::children(MAPS)], identity));
    let applier = Applier::new(&Api::new(fake.client(), identity.name), &caches, identity);
    (fake, applier)
}

/// An object that says `released`, and the action that deletes it.
fn due(fake: &Fake) -> Action {
    let object = fake.put(
        PATH,
        json!({ "metadata": { "name": "data", "annotations": { "released": "t" }, "labels": { "class": "a" } } }),
    );
    Action {
        kind: MAPS,
        namespace: "shop".into(),
        name: "data".into(),
        uid: object["metadata"]["uid"].as_str().unwrap().to_owned(),
        deed: Deed::Delete,
        annotations: [("released".to_owned(), Some("t".to_owned()))].into(),
        labels: [("class".to_owned(), Some("a".to_owned()))].into(),
        claimant: None,
        because: "it is due".into(),
    }
}

#[tokio::test]
async fn what_is_as_it_was_is_deleted_with_uid_and_version() {
    let (fake, applier) = bench();
    let (acted, refusal) = applier.actions.run(due(&fake)).await;
    assert_eq!((acted.effect, refusal.is_none()), (Effect::Done, true));
    let conditions = &fake.last_body()["preconditions"];
    assert!(
        conditions["uid"].is_string() && conditions["resourceVersion"].is_string(),
        "{conditions}"
    );
    assert_eq!(fake.object(PATH), None);
}

#[tokio::test]
async fn who_changes_his_mind_in_between_wins() {
    for changed in [
        json!({ "metadata": { "name": "data", "labels": { "class": "a" } } }),
        json!({ "metadata": { "name": "data", "annotations": { "released": "later" }, "labels": { "class": "a" } } }),
        json!({ "metadata": { "name": "data", "annotations": { "released": "t" }, "labels": { "class": "b" } } }),
    ] {
        let (fake, applier) = bench();
        let action = due(&fake);
        fake.put(PATH, changed.clone());
        let (acted, _) = applier.actions.run(action).await;
        assert_eq!(acted.effect, Effect::Overtaken, "{changed}");
        assert!(fake.object(PATH).is_some());
        assert_eq!(retry(&acted), Retry::Poll, "it is looked at again");
    }
}

#[tokio::test]
async fn a_namesake_and_what_is_going_are_left_alone() {
    let (fake, applier) = bench();
    let other = Action {
        uid: "another".into(),
        ..due(&fake)
    };
    assert_eq!(applier.actions.run(other).await.0.effect, Effect::Moot);
    let action = due(&fake);
    let mut going = fake.object(PATH).unwrap();
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    fake.replace(PATH, going);
    assert_eq!(applier.actions.run(action).await.0.effect, Effect::Moot);
    assert!(fake.object(PATH).is_some());
}

#[tokio::test]
async fn a_claimant_that_the_caches_do_not_know_forbids_it() {
    let (fake, applier) = bench();
    let action = || Action {
        claimant: Some(Claimant {
            kind: MAPS,
            namespace: "shop".into(),
            name: "claimant".into(),
            pointer: "/spec/released",
            gives_way: json!(true),
        }),
        ..due(&fake)
    };
    fake.put(OTHER, json!({ "metadata": { "name": "claimant" }, "spec": {} }));
    assert_eq!(applier.actions.run(action()).await.0.effect, Effect::Overtaken);
    fake.put(
        OTHER,
        json!({ "metadata": { "name": "claimant" }, "spec": { "released": true } }),
    );
    assert_eq!(applier.actions.run(action()).await.0.effect, Effect::Done);
}

#[tokio::test]
async fn a_plan_reports_its_actions_and_why_one_failed() {
    let (fake, applier) = bench();
    let mark = Action {
        deed: Deed::Annotate([("kept".to_owned(), Some("long".to_owned()))].into()),
        ..due(&fake)
    };
    fake.refuse(PATH, 403, "no");
    let plan = Plan {
        actions: vec![mark],
        ..Plan::default()
    };
    let parent = Parent {
        key: ObjectKey::new("shop", "web"),
        uid: "owner".into(),
        elsewhere: Vec::new(),
    };
    let progress = applier.apply(&parent, plan).await;
    assert_eq!(progress.applied.actions[0].effect, Effect::Failed);
    assert_eq!(progress.applied.problems[0].reason, "Forbidden");
    assert_eq!(progress.retry, Retry::Slow);
}

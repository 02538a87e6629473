//! The bridge crashes repeatedly while many applications roll out: the result is the same.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use idp_testkit::{compare::covers, eventually_within};
use idp_tests::{Alone, EXTERNAL_SECRET, Lab};
use idp_webapp::kinds;
use kube::{
    ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};

use crate::{alone, with_secret_every};

const COUNT: usize = 200;
const KILLS: usize = 3;
/// Longer than the collection of changes takes.
const SETTLING: Duration = Duration::from_secs(8);
const LONG: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn crashes_of_the_bridge_do_not_change_the_result() {
    let alone = alone().await;
    let lab = alone.lab("kills").await;
    let namespace = lab.ns.clone();
    let calm = roll_out(&alone, lab, 0).await;
    let shaken = roll_out(&alone, alone.lab_again(&namespace).await, KILLS).await;
    let (one, other): (Vec<_>, Vec<_>) = (calm.keys().collect(), shaken.keys().collect());
    assert_eq!(one, other);
    for (name, object) in &calm {
        let other = &shaken[name];
        if object != other {
            // Which of the many fields it is.
            covers(object, other, &mut name.clone()).unwrap_or_else(|difference| panic!("{difference}"));
            panic!("{name} has more than {object}: {other}");
        }
    }
    assert!(calm.len() > 7 * COUNT, "{} objects", calm.len());
    eprintln!(
        "kills: {} objects of {COUNT} applications are the same",
        calm.len()
    );
}

/// The objects of many applications, once all are Ready, after the bridge was killed this many times.
async fn roll_out(alone: &Alone, lab: Lab, kills: usize) -> BTreeMap<String, Value> {
    let began = Instant::now();
    let names: Vec<String> = (0..COUNT).map(|number| format!("app-{number:03}")).collect();
    lab.put_all(&names, "db", &json!({ "password": "p" })).await;
    let mut pair = alone.pair(&[]).await;
    let create = async {
        for name in &names {
            let app = idp_tests::app(&lab.ns, name, &with_secret_every("1h"));
            lab.apps().create(&PostParams::default(), &app).await.unwrap();
        }
    };
    let kill = async {
        let mut in_mid_work = 0;
        for kill in 0..kills {
            // During the work: some applications are complete, and others are not.
            let enough = COUNT * (kill + 1) / (KILLS + 2);
            eventually_within(LONG, "the bridge writes", || async {
                let count = lab.external_secrets().await.len();
                (count >= enough)
                    .then_some(())
                    .ok_or(format!("{count} of {enough}"))
            })
            .await;
            let done = lab.external_secrets().await.len();
            in_mid_work += usize::from(done < COUNT);
            eprintln!("killed after {done} of {COUNT}");
            pair = alone.crash_bridge(pair).await;
        }
        assert!(
            kills == 0 || in_mid_work > 0,
            "the bridge was killed only after its work"
        );
        pair
    };
    let ((), pair) = tokio::join!(create, kill);
    lab.all_ready(COUNT, LONG).await;
    let objects = still(&lab).await;
    pair.stop().await;
    // There are too few nodes for twice as many pods.
    lab.end_and_wait().await;
    eprintln!("with {kills} kills: {:.0} s", began.elapsed().as_secs_f32());
    objects
}

/// The objects, once all writes have stopped.
async fn still(lab: &Lab) -> BTreeMap<String, Value> {
    let began = Instant::now();
    let mut before = objects(lab).await;
    loop {
        tokio::time::sleep(SETTLING).await;
        let after = objects(lab).await;
        if before == after {
            return after;
        }
        let changed = after
            .iter()
            .find(|(name, object)| before.get(*name) != Some(object));
        assert!(began.elapsed() < LONG, "writes do not stop: {changed:?}");
        before = after;
    }
}

async fn objects(lab: &Lab) -> BTreeMap<String, Value> {
    let application = idp_core::Kind::namespaced("idp.dev", "v1alpha1", "WebApplication", "webapplications");
    let all = kinds::CHILDREN.into_iter().chain(kinds::BINDINGS);
    let mut objects = BTreeMap::new();
    for kind in all.chain([EXTERNAL_SECRET, application]) {
        let labelled = ListParams::default().labels(idp_core::labels::APPLICATION);
        let params = if kind == application {
            ListParams::default()
        } else {
            labelled
        };
        for object in lab.objects(kind).list(&params).await.unwrap() {
            let name = format!("{} {}", kind.kind, object.name_any());
            let value = serde_json::to_string(&object)
                .unwrap()
                .replace(&lab.ns, "NAMESPACE");
            objects.insert(name, content(kind, serde_json::from_str(&value).unwrap()));
        }
    }
    objects
}

/// An object without the fields that differ between equal objects: UIDs, versions and times.
fn content(kind: idp_core::Kind, mut object: Value) -> Value {
    let fields = object.as_object_mut().unwrap();
    // Statuses of others contain changing numbers.
    if kind.group != "idp.dev" {
        fields.remove("status");
    }
    forget(
        &mut object,
        &[
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "managedFields",
            "lastTransitionTime",
            "changed",
            "version",
            "clusterIP",
            "clusterIPs",
            idp_core::labels::BINDINGS_VERSION,
            idp_core::labels::PLAN_HASH,
        ],
    );
    object
}

fn forget(value: &mut Value, keys: &[&str]) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !keys.contains(&key.as_str()));
            fields.values_mut().for_each(|value| forget(value, keys));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| forget(value, keys)),
        _ => {}
    }
}

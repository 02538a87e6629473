use idp_api::{SecretBindingSpec, secret_binding::StoreRef};
use idp_core::{AppliedChild, Plan};

use super::*;

fn binding() -> SecretBinding {
    let spec = SecretBindingSpec {
        application: "shop".into(),
        store: StoreRef {
            name: "aws".into(),
            kind: "ClusterSecretStore".into(),
        },
        secrets: vec![BoundSecret {
            name: "db".into(),
            path: "spec.secrets[0]".into(),
            target: "shop-secret-db".into(),
            remote_key: Some("team-a/shop/db".into()),
            refresh_interval: "1h".into(),
            ..BoundSecret::default()
        }],
    };
    let mut binding = SecretBinding::new("shop", spec);
    binding.metadata.generation = Some(1);
    binding
}

fn observed(synced: bool, ready: bool, events: &[(&str, Happened)]) -> Observed {
    let facts = ExternalSecretFacts {
        uid: "u".into(),
        synced,
        synced_version: "1-a".into(),
        ready: Some(ready),
    };
    Observed {
        external_secrets: [("shop.db".to_owned(), facts)].into(),
        events: events
            .iter()
            .map(|(at, what)| EventFacts {
                about: "u".into(),
                at: (*at).to_owned(),
                what: what.clone(),
            })
            .collect(),
        ..Observed::default()
    }
}

fn next(binding: &mut SecretBinding, observed: &Observed, second: i64) -> SecretBindingStatus {
    let now = Timestamp::from_second(1_000_000 + second).unwrap();
    let status = status(binding, observed, &Outcome::Applied(Plan::default()), now);
    binding.status = Some(status.clone());
    status
}

#[test]
fn a_missing_key_is_named_on_its_field() {
    let failed = observed(false, false, &[("1", Happened::Failed(Cause::KeyMissing))]);
    let status = next(&mut binding(), &failed, 0);
    assert_eq!(status.problems[0].reason, "RemoteKeyMissing");
    assert_eq!(
        status.problems[0].path.as_deref(),
        Some("spec.secrets[0].remoteKey")
    );
    assert!(status.problems[0].message.contains("team-a/shop/db"));
    assert_eq!(status.version, None);
}

#[test]
fn a_failure_after_success_keeps_version_and_value() {
    let mut binding = binding();
    let there = next(&mut binding, &observed(true, true, &[]), 0);
    assert!(there.version.is_some() && there.problems.is_empty());
    let failed = observed(true, false, &[("1", Happened::Failed(Cause::StoreDown))]);
    let failing = next(&mut binding, &failed, 60);
    assert_eq!(failing.version, there.version);
    assert!(!failing.problems[0].is_error(), "{:?}", failing.problems);
    // The event is deleted after an hour; the failure continues.
    let later = next(&mut binding, &observed(true, false, &[]), 7200);
    assert_eq!(later.problems, failing.problems);
}

#[test]
fn a_rotation_changes_the_version_once_and_outlives_its_event() {
    let mut binding = binding();
    let first = next(&mut binding, &observed(true, true, &[]), 0).version;
    let rotated = observed(true, true, &[("2026-01-01T00:00:00Z", Happened::Changed)]);
    assert_eq!(next(&mut binding, &rotated, 10).version, first, "not at once");
    let second = next(&mut binding, &rotated, 16).version;
    assert_ne!(second, first);
    assert_eq!(
        next(&mut binding, &observed(true, true, &[]), 7200).version,
        second
    );
}

#[test]
fn an_object_just_written_counts_as_written() {
    let mut binding = binding();
    assert!(
        next(&mut binding, &observed(true, true, &[]), 0)
            .version
            .is_some()
    );
    let read = observed(true, true, &[]);
    let written = AppliedChild {
        kind: EXTERNAL_SECRET,
        namespace: Some("team-a".into()),
        name: "shop.db".into(),
        uid: "u".into(),
        facts: serde_json::to_value(&observed(false, true, &[]).external_secrets["shop.db"]).unwrap(),
        held: None,
    };
    let plan = Plan {
        children: vec![written],
        ..Plan::default()
    };
    let now = Timestamp::from_second(1_000_100).unwrap();
    let status = status(&binding, &read, &Outcome::Applied(plan), now);
    assert_eq!(status.version, None, "pods wait for the secret of the new spec");
}

#[test]
fn equal_states_have_equal_statuses() {
    let mut binding = binding();
    let first = next(&mut binding, &observed(true, true, &[]), 0);
    assert_eq!(next(&mut binding, &observed(true, true, &[]), 100), first);
}

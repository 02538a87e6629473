use idp_api::claim_binding::Tombstone;
use idp_core::Deed;
use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::{annotations, binding::observe::Requests, facts::ClaimFacts, kinds::CLAIMS};

const POSTGRES: Kind = CLAIMS[0];
const REDIS: Kind = CLAIMS[2];

fn class(engine: &str, kind: Kind, changes: &Value) -> idp_api::ClaimClassSpec {
    let mut spec = json!({
        "engine": engine,
        "resource": { "type": "Claim", "apiVersion": kind.api_version(), "kind": kind.kind },
        "versions": ["15", "16"], "defaultVersion": "16",
        "sizes": { "small": { "gb": 20 } }, "defaultSize": "small",
        "template": { "parameters": { "gb": "{size.gb}", "version": "{version}" } },
        "connection": { "keys": [{ "key": "host", "env": "HOST" }] },
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        spec[name] = value.clone();
    }
    serde_json::from_value(spec).unwrap()
}

fn spec(changes: &Value) -> ClaimBindingSpec {
    let mut spec = json!({
        "application": "qapp", "name": "q1", "path": "p", "engine": "postgres", "class": "quota-pg", "version": "16",
        "size": "small",
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        spec[name] = value.clone();
    }
    serde_json::from_value(spec).unwrap()
}

fn binding(changes: &Value) -> ClaimBinding {
    let mut binding = ClaimBinding::new("q1", spec(changes));
    binding.metadata.namespace = Some("team".into());
    binding
}

/// A kept PostgresInstance of the class `quota-pg`, and what the binding's class is.
fn observed(class: idp_api::ClaimClassSpec, kind: Kind) -> Observed {
    let tombstone = Tombstone {
        since: "1970-01-01T00:00:00Z".into(),
        until: "1970-01-08T00:00:00Z".into(),
        ..Tombstone::default()
    };
    let claim = ClaimFacts {
        api_version: POSTGRES.api_version(),
        kind: POSTGRES.kind.into(),
        name: "q1".into(),
        uid: "u1".into(),
        application: "qapp".into(),
        class: "quota-pg".into(),
        binding: Some(spec(&json!({}))),
        retention: [
            (annotations::RELEASED_AT.to_owned(), tombstone.since.clone()),
            (annotations::KEPT_UNTIL.to_owned(), tombstone.until.clone()),
        ]
        .into(),
        tombstone: Some(tombstone),
        ..ClaimFacts::default()
    };
    Observed {
        class: Some(class),
        kind: Some(kind),
        served: true,
        claim_kind: Some(POSTGRES),
        claim: Some(claim),
        now: Timestamp::from_second(10).unwrap(),
        ..Observed::default()
    }
}

fn retain() -> idp_api::ClaimClassSpec {
    class("postgres", POSTGRES, &json!({ "gracePeriod": "168h" }))
}

fn reasons(rejected: Result<Validated, Vec<Problem>>) -> Vec<String> {
    let problems = rejected.expect_err("it is rejected");
    problems.into_iter().map(|problem| problem.reason).collect()
}

#[test]
fn a_binding_of_another_class_neither_marks_nor_unmarks_nor_deletes() {
    let delete = json!({ "deletionPolicy": "Delete", "gracePeriod": "1m" });
    for (name, engine, kind) in [
        ("local-redis", "redis", REDIS),
        // The same kind, and the same engine, but another class.
        ("other-pg", "postgres", POSTGRES),
        ("quota-pg", "mysql", POSTGRES),
    ] {
        for released in [true, false] {
            let binding = binding(&json!({ "engine": engine, "class": name, "released": released }));
            let mut observed = observed(class(engine, kind, &delete), kind);
            observed.requests = Requests {
                delete: Some("q1".into()),
                recreate: None,
            };
            let rejected = reasons(validate(&binding, &observed));
            assert!(
                ["KindChanged", "ClassDiffers"].contains(&rejected[0].as_str()),
                "{name} {released}: {rejected:?}"
            );
            assert_eq!(release(&binding, &observed), [], "{name} {released}");
        }
    }
    let other = binding(&json!({ "application": "evil", "released": true }));
    let seen = observed(retain(), POSTGRES);
    assert_eq!(reasons(validate(&other, &seen)), ["NameTaken"]);
    assert_eq!(release(&other, &seen), []);
    // Nor does a binding whose class does not exist.
    let gone = binding(&json!({ "class": "gone", "engine": "redis", "released": true }));
    let unknown = Observed {
        class: None,
        kind: None,
        ..observed(retain(), POSTGRES)
    };
    assert_eq!(reasons(validate(&gone, &unknown)), ["ClassDiffers"]);
}

#[test]
fn its_own_binding_marks_unmarks_and_requests_deletion() {
    let seen = observed(retain(), POSTGRES);
    let wanted = validate(&binding(&json!({})), &seen).unwrap();
    let Deed::Annotate(annotated) = &wanted.actions[0].deed else {
        panic!()
    };
    assert!(annotated.values().all(Option::is_none), "it is in use again");
    assert!(wanted.claim.is_some());
    let released = binding(&json!({ "released": true }));
    let kept = validate(&released, &seen).unwrap();
    assert_eq!((kept.actions.len(), kept.claim), (0, None));
    let mut requested = seen.clone();
    requested.requests.delete = Some("q1".into());
    let marked = validate(&released, &requested).unwrap().actions;
    let Deed::Annotate(annotated) = &marked[0].deed else {
        panic!()
    };
    assert_eq!(annotated[annotations::DELETE_DATA].as_deref(), Some("q1"));
    assert_eq!(
        annotated[annotations::KEPT_UNTIL].as_deref(),
        Some("1970-01-08T00:00:00Z"),
        "a request does not shorten the grace period"
    );
}

#[test]
fn a_claim_in_use_is_released_when_its_binding_is_deleted() {
    let mut seen = observed(retain(), POSTGRES);
    seen.now = Timestamp::from_second(864_000).unwrap();
    // Annotations of an earlier release, which a broken class kept from being removed, are void.
    let actions = release(&binding(&json!({})), &seen);
    let Deed::Annotate(annotated) = &actions[0].deed else {
        panic!()
    };
    assert_eq!(
        annotated[annotations::KEPT_UNTIL].as_deref(),
        Some("1970-01-18T00:00:00Z")
    );
    // Deleting a binding deletes no claim, even if its grace period is over.
    let claim = seen.claim.as_mut().unwrap();
    claim.tombstone.as_mut().unwrap().delete = true;
    claim
        .retention
        .insert(annotations::DELETE_DATA.into(), "q1".into());
    assert_eq!(release(&binding(&json!({ "released": true })), &seen), []);
}

#[test]
fn a_binding_is_checked_against_its_class() {
    let new = Observed {
        claim: None,
        claim_kind: None,
        ..observed(retain(), POSTGRES)
    };
    for (changes, reason) in [
        (json!({ "version": "9.0-evil" }), "UnknownVersion"),
        (json!({ "version": null }), "UnknownVersion"),
        (json!({ "engine": "mysql" }), "ClassDiffers"),
        (json!({ "size": "900Ei" }), "UnknownSize"),
        (json!({ "size": null }), "UnknownSize"),
        (json!({ "secret": "some-existing-secret" }), "Invalid"),
        (json!({ "application": "../x" }), "Invalid"),
        (json!({ "name": "Q{x}" }), "Invalid"),
        (json!({ "environment": "a/b" }), "Invalid"),
    ] {
        assert_eq!(reasons(validate(&binding(&changes), &new)), [reason], "{changes}");
    }
    for fine in [
        json!({}),
        json!({ "secret": "q1-connection", "environment": "staging.eu" }),
    ] {
        validate(&binding(&fine), &new).unwrap();
    }
    // An existing claim keeps its version, and immutable fields do not change.
    let mut old = observed(
        class("postgres", POSTGRES, &json!({ "immutable": ["Version"] })),
        POSTGRES,
    );
    old.claim.as_mut().unwrap().binding = Some(spec(&json!({ "version": "9" })));
    validate(&binding(&json!({ "version": "9" })), &old).unwrap();
    assert_eq!(reasons(validate(&binding(&json!({})), &old)), ["ImmutableField"]);
}

#[test]
fn the_volume_of_a_binding_is_limited_too() {
    let kind = crate::kinds::VOLUME_CLAIM;
    let mut class = class("volume", kind, &json!({}));
    class.resource.type_ = idp_api::claim_class::ClaimType::PersistentVolumeClaim;
    (class.sizes, class.default_size) = Default::default();
    (class.versions, class.default_version) = Default::default();
    class.template = json!({ "resources": { "requests": { "storage": "{size}" } } });
    let new = Observed {
        claim: None,
        claim_kind: None,
        ..observed(class, kind)
    };
    let volume =
        |size: &str| binding(&json!({ "engine": "volume", "class": "files", "version": null, "size": size }));
    assert_eq!(reasons(validate(&volume("900Ei"), &new)), ["SizeExceeded"]);
    assert_eq!(reasons(validate(&volume("x"), &new)), ["InvalidSize"]);
    validate(&volume("10Gi"), &new).unwrap();
}

#[test]
fn of_two_in_one_second_only_the_first_gets_a_claim() {
    let quota = class("postgres", POSTGRES, &json!({ "quota": { "perNamespace": 1 } }));
    let seen = |before, others, second| Observed {
        before,
        others,
        now: Timestamp::from_second(second).unwrap(),
        claim: None,
        claim_kind: None,
        ..observed(quota.clone(), POSTGRES)
    };
    let mut wish = binding(&json!({}));
    wish.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
        Timestamp::from_second(100).unwrap(),
    ));
    validate(&wish, &seen(0, 0, 100)).unwrap();
    assert_eq!(reasons(validate(&wish, &seen(0, 1, 101))), ["QuotaUndecided"]);
    validate(&wish, &seen(0, 1, 102)).unwrap();
    assert_eq!(reasons(validate(&wish, &seen(1, 1, 102))), ["QuotaExceeded"]);
}

use idp_api::{ClaimBindingSpec, web_application::ChildStatus};
use idp_core::{Applied, AppliedChild, Kind};
use serde_json::json;

use super::*;
use crate::facts::{ConditionState, State};

const POSTGRES: Kind = crate::kinds::CLAIMS[0];

fn condition(is_true: bool, message: &str) -> Option<ConditionState> {
    Some(ConditionState {
        is_true,
        is_false: !is_true,
        reason: "X".into(),
        message: message.into(),
    })
}

fn claim(ready: Option<bool>, published: Option<&str>) -> ClaimFacts {
    ClaimFacts {
        api_version: POSTGRES.api_version(),
        kind: POSTGRES.kind.into(),
        name: "shop-orders".into(),
        uid: "u1".into(),
        created: "1970-01-01T00:00:00Z".into(),
        composite: Some(("XPostgresInstance".into(), "shop-orders-x".into())),
        state: State {
            synced: ready.and_then(|_| condition(true, "")),
            ready: ready.and_then(|ready| condition(ready, "")),
            last_operation: None,
        },
        published: published.map(str::to_owned),
        ..ClaimFacts::default()
    }
}

fn binding(status: Option<ClaimBindingStatus>) -> ClaimBinding {
    let mut binding = ClaimBinding::new(
        "shop-orders",
        ClaimBindingSpec {
            path: "spec.databases[0]".into(),
            ..ClaimBindingSpec::default()
        },
    );
    binding.status = status;
    binding
}

fn validated() -> Validated {
    Validated {
        namespace: "team".into(),
        name: "shop-orders".into(),
        binding: ClaimBindingSpec::default(),
        released: false,
        claim: None,
        has_secret: true,
        is_volume: false,
        warnings: Vec::new(),
        actions: Vec::new(),
    }
}

fn next(before: Option<ClaimBindingStatus>, claim: Option<ClaimFacts>, second: i64) -> ClaimBindingStatus {
    let children = claim.iter().map(|claim| AppliedChild {
        kind: POSTGRES,
        namespace: Some("team".into()),
        name: claim.name.clone(),
        uid: claim.uid.clone(),
        facts: json!(claim),
        held: None,
    });
    let plan = Plan::<Applied> {
        children: children.collect(),
        ..Plan::default()
    };
    let observed = Observed {
        claim,
        ..Observed::default()
    };
    let now = Timestamp::from_second(second).unwrap();
    status(
        &binding(before),
        &observed,
        Some(&validated()),
        &Outcome::Applied(plan),
        now,
    )
}

#[test]
fn the_version_comes_with_the_secret_and_stays_through_failures() {
    let unready = next(None, Some(claim(Some(false), None)), 0);
    assert_eq!(
        (unready.phase, unready.version.as_ref()),
        (Some(ClaimPhase::Creating), None)
    );
    let unpublished = next(Some(unready), Some(claim(Some(true), None)), 1);
    assert_eq!(unpublished.version, None, "no pod can start without the Secret");
    assert_eq!(unpublished.conditions[0].reason, "WaitsForSecret");
    let ready = next(Some(unpublished), Some(claim(Some(true), Some("t1"))), 2);
    assert_eq!(ready.phase, Some(ClaimPhase::Ready));
    assert!(ready.version.is_some());
    let failing = next(Some(ready.clone()), Some(claim(Some(false), Some("t1"))), 3);
    assert_eq!(
        (failing.phase, &failing.version),
        (Some(ClaimPhase::Failing), &ready.version)
    );
    let rotated = next(Some(failing), Some(claim(Some(true), Some("t2"))), 4);
    assert_ne!(rotated.version, ready.version);
    let another = ClaimFacts {
        uid: "u2".into(),
        ..claim(Some(false), None)
    };
    assert_eq!(
        next(Some(rotated), Some(another), 5).version,
        None,
        "another database is another version"
    );
}

#[test]
fn equal_states_give_equal_statuses() {
    let first = next(None, Some(claim(Some(true), Some("t1"))), 1);
    assert_eq!(
        next(Some(first.clone()), Some(claim(Some(true), Some("t1"))), 99),
        first
    );
}

#[test]
fn an_unreachable_crossplane_is_reported_after_a_minute() {
    let fresh = next(None, Some(claim(None, None)), 10);
    assert_eq!(
        (fresh.problems.len(), fresh.conditions[0].reason.as_str()),
        (0, WAITS_FOR_CROSSPLANE)
    );
    assert!(requeue_after(&fresh, Timestamp::UNIX_EPOCH).is_some());
    let old = next(Some(fresh), Some(claim(None, None)), 61);
    assert_eq!(old.problems[0].reason, reasons::CROSSPLANE_UNREACHABLE);
    assert_eq!(requeue_after(&old, Timestamp::UNIX_EPOCH), None);
}

#[test]
fn a_failure_of_what_works_is_a_warning() {
    let mut rejected = claim(Some(true), Some("t1"));
    rejected.state.synced = condition(false, "cannot bind");
    let status = next(None, Some(rejected), 1);
    assert_eq!(
        (status.phase, status.problems[0].severity),
        (Some(ClaimPhase::Ready), Severity::Warning)
    );
    assert_eq!(status.problems[0].path.as_deref(), Some("spec.databases[0]"));
    assert!(status.conditions[0].is_true());
}

#[test]
fn the_inventory_names_the_claim() {
    let status = next(None, Some(claim(Some(true), Some("t1"))), 1);
    let wanted = ChildStatus {
        api_version: POSTGRES.api_version(),
        kind: "PostgresInstance".into(),
        name: "shop-orders".into(),
        uid: "u1".into(),
        ..ChildStatus::default()
    };
    assert_eq!(status.children, [wanted]);
}

use super::*;
use crate::{facts::State, message::readable};

fn condition(is_true: bool, reason: &str, message: &str) -> Option<ConditionState> {
    Some(ConditionState {
        is_true,
        is_false: !is_true,
        reason: reason.into(),
        message: readable(message),
    })
}

fn claim() -> ClaimFacts {
    ClaimFacts {
        kind: "PostgresInstance".into(),
        name: "shop-orders".into(),
        composite: Some(("XPostgresInstance".into(), "shop-orders-x7".into())),
        state: State {
            synced: condition(true, "ReconcileSuccess", ""),
            ready: condition(false, "Waiting", "waits"),
            ..State::default()
        },
        ..ClaimFacts::default()
    }
}

fn resource(kind: &str, name: &str, state: State) -> ResourceFacts {
    ResourceFacts {
        api_version: "rds.aws.upbound.io/v1beta1".into(),
        kind: kind.into(),
        name: name.into(),
        state,
    }
}

const AWS: &str = "create failed: async create failed: failed to create the resource: [{0 creating RDS DB Instance \
    (shop-orders-x7): operation error RDS: CreateDBInstance, https response error StatusCode: 400, RequestID: \
    5b0c1d6e-8a5e, api error InvalidParameterCombination: Cannot find version 99 for postgres  []}]";

#[test]
fn the_lowest_failure_is_the_root_cause() {
    let composite = resource(
        "XPostgresInstance",
        "shop-orders-x7",
        State {
            synced: condition(false, "ReconcileError", "cannot compose resources: x"),
            ..State::default()
        },
    );
    let fine = resource(
        "SubnetGroup",
        "a",
        State {
            synced: condition(true, "", ""),
            ready: condition(true, "", ""),
            ..State::default()
        },
    );
    let failed = resource(
        "Instance",
        "shop-orders-x7-b",
        State {
            synced: condition(false, "ReconcileError", AWS),
            ..State::default()
        },
    );
    let problem = root(&claim(), &[composite.clone(), fine.clone(), failed]).unwrap();
    assert_eq!(problem.reason, reasons::RESOURCE_FAILED);
    assert_eq!(
        problem.message,
        "Instance shop-orders-x7-b (rds.aws.upbound.io): InvalidParameterCombination: Cannot find version 99 for postgres"
    );
    let problem = root(&claim(), &[fine.clone(), composite]).unwrap();
    assert_eq!(
        (problem.reason.as_str(), problem.message.as_str()),
        (
            reasons::COMPOSITION_FAILED.name,
            "Crossplane cannot compose the resources: x"
        )
    );
    assert_eq!(root(&claim(), &[fine]), None);
}

#[test]
fn a_claim_that_crossplane_rejects_is_reported() {
    let mut claim = claim();
    claim.state.synced = condition(false, "ReconcileError", "cannot bind to composite resource: x");
    assert_eq!(root(&claim, &[]).unwrap().reason, reasons::CLAIM_FAILED);
    claim.composite = None;
    claim.state.synced = condition(
        false,
        "ReconcileError",
        "cannot select Composition: no compatible Compositions found",
    );
    let problem = root(&claim, &[]).unwrap();
    assert_eq!(problem.reason, reasons::COMPOSITION_FAILED);
    assert!(problem.hint.unwrap().contains("install a Composition"));
}

#[test]
fn attempts_that_fail_alike_read_alike() {
    let other = AWS.replace("5b0c1d6e-8a5e", "77777777-1234");
    assert_eq!(readable(AWS), readable(&other));
    assert!(!readable(AWS).contains("RequestID"));
    assert_eq!(readable("a Request ID: 17 b, HostID: x= c"), "a b, c");
}

#[test]
fn waiting_names_what_it_waits_for() {
    let one = resource("Instance", "b", State::default());
    let other = resource("Grant", "a", State::default());
    let composite = resource("XPostgresInstance", "shop-orders-x7", State::default());
    assert_eq!(
        waits_for(&claim(), &[one, other, composite]),
        "PostgresInstance shop-orders waits for Grant a and 1 more."
    );
    assert_eq!(
        waits_for(&claim(), &[]),
        "PostgresInstance shop-orders is not ready yet."
    );
}

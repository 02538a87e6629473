use idp_core::{Action, Deed};

use super::*;
use crate::{
    annotations,
    retention::{RetainedClaim, actions::retention_annotations, plan},
};

fn class(policy: DeletionPolicy) -> ClaimClassSpec {
    ClaimClassSpec {
        grace_period: "1h30m".into(),
        deletion_policy: policy,
        ..ClaimClassSpec::default()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A claim with the annotations of this tombstone, a person's request included.
fn claim(tombstone: Option<Tombstone>) -> ClaimFacts {
    let requested = |tombstone: &Tombstone| tombstone.delete && !tombstone.by_class;
    let retention = tombstone
        .iter()
        .flat_map(|tombstone| retention_annotations(tombstone, requested(tombstone), "c"));
    let retention = retention.filter_map(|(key, value)| Some((key, value?))).collect();
    ClaimFacts {
        name: "c".into(),
        class: "pg".into(),
        retention,
        tombstone,
        ..ClaimFacts::default()
    }
}

fn expiring(delete: bool) -> Tombstone {
    Tombstone {
        since: "1970-01-01T00:00:00Z".into(),
        until: "1970-01-01T01:30:00Z".into(),
        delete,
        by_class: false,
    }
}

fn mark(tombstone: Tombstone, requested: bool) -> Decision {
    Decision::Mark { tombstone, requested }
}

const LATE: i64 = 1 << 37;

#[test]
fn an_unused_claim_is_marked_and_kept() {
    let retain = class(DeletionPolicy::Retain);
    assert_eq!(
        decide(&claim(None), false, false, Some(&retain), at(0)),
        mark(expiring(false), false)
    );
    let kept = claim(Some(expiring(false)));
    assert_eq!(
        decide(&kept, false, false, Some(&retain), at(LATE)),
        Decision::Nothing
    );
    assert_eq!(
        decide(&claim(None), true, false, Some(&retain), at(0)),
        Decision::Nothing
    );
}

#[test]
fn deletion_needs_a_request_and_the_grace_period() {
    let retain = class(DeletionPolicy::Retain);
    let kept = claim(Some(expiring(false)));
    assert_eq!(
        decide(&kept, false, true, Some(&retain), at(LATE)),
        mark(expiring(true), true)
    );
    let requested = claim(Some(expiring(true)));
    assert_eq!(
        decide(&requested, false, false, Some(&retain), at(5399)),
        Decision::Nothing
    );
    assert_eq!(
        decide(&requested, false, false, Some(&retain), at(5400)),
        Decision::Delete
    );
    let strange = claim(Some(Tombstone {
        until: "soon".into(),
        ..expiring(true)
    }));
    assert_eq!(
        decide(&strange, false, false, Some(&retain), at(LATE)),
        Decision::Nothing
    );
}

#[test]
fn a_request_from_before_the_release_is_void() {
    let retain = class(DeletionPolicy::Retain);
    let mut early = claim(None);
    early
        .retention
        .insert(annotations::DELETE_DATA.into(), "c".into());
    let decision = decide(&early, false, false, Some(&retain), at(0));
    assert_eq!(decision, mark(expiring(false), false));
    let Some(Action {
        deed: Deed::Annotate(annotated),
        ..
    }) = plan(&retained(early), &decision)
    else {
        panic!()
    };
    assert_eq!(annotated[annotations::DELETE_DATA], None, "it is removed");
}

#[test]
fn a_class_can_delete_its_data_without_a_request() {
    let delete = class(DeletionPolicy::Delete);
    let by_class = Tombstone {
        by_class: true,
        ..expiring(true)
    };
    assert_eq!(
        decide(&claim(None), false, false, Some(&delete), at(0)),
        mark(by_class.clone(), false)
    );
    assert_eq!(
        decide(
            &claim(Some(by_class.clone())),
            false,
            false,
            Some(&delete),
            at(5400)
        ),
        Decision::Delete
    );
    // Without the class there is no deletion policy, and the data are kept for a week at least.
    let Decision::Mark { tombstone, .. } = decide(&claim(None), false, false, None, at(0)) else {
        panic!()
    };
    assert_eq!(
        (tombstone.until.as_str(), tombstone.delete),
        ("1970-01-08T00:00:00Z", false)
    );
    // A class that changes to `Delete` starts the grace period then; one that changes back keeps the data.
    let kept = claim(Some(expiring(false)));
    let later = Tombstone {
        until: "1970-01-02T01:30:00Z".into(),
        ..by_class.clone()
    };
    assert_eq!(
        decide(&kept, false, false, Some(&delete), at(86_400)),
        mark(later, false)
    );
    let retain = class(DeletionPolicy::Retain);
    assert_eq!(
        decide(&claim(Some(by_class)), false, false, Some(&retain), at(LATE)),
        mark(expiring(false), false)
    );
}

#[test]
fn a_claim_in_use_again_is_unmarked_and_never_deleted() {
    assert_eq!(
        decide(&claim(Some(expiring(true))), true, true, None, at(LATE)),
        Decision::Unmark
    );
    let mut requested = claim(None);
    requested
        .retention
        .insert(annotations::DELETE_DATA.into(), "c".into());
    assert_eq!(decide(&requested, true, false, None, at(0)), Decision::Unmark);
}

#[test]
fn a_request_with_another_name_is_void() {
    let mut wrong = claim(Some(expiring(false)));
    wrong
        .retention
        .insert(annotations::DELETE_DATA.into(), "other".into());
    assert_eq!(decide(&wrong, false, false, None, at(LATE)), Decision::Nothing);
}

fn retained(claim: ClaimFacts) -> RetainedClaim {
    RetainedClaim {
        namespace: "team".into(),
        kind: crate::kinds::CLAIMS[0],
        claim,
    }
}

#[test]
fn an_action_has_its_preconditions_and_its_reason() {
    let delete = plan(&retained(claim(Some(expiring(true)))), &Decision::Delete).unwrap();
    assert_eq!(
        delete.annotations[annotations::KEPT_UNTIL].as_deref(),
        Some("1970-01-01T01:30:00Z")
    );
    assert_eq!(delete.annotations[annotations::DELETION_POLICY], None);
    assert_eq!(delete.labels[annotations::CLASS].as_deref(), Some("pg"));
    assert!(
        delete.claimant.is_some(),
        "a binding that the caches do not have yet prevents it"
    );
    assert!(
        delete.because.ends_with("the deletion was requested"),
        "{}",
        delete.because
    );
    let by_class = claim(Some(Tombstone {
        by_class: true,
        ..expiring(true)
    }));
    let delete = plan(&retained(by_class), &Decision::Delete).unwrap();
    assert!(
        delete
            .because
            .ends_with("its class pg has deletionPolicy: Delete"),
        "{}",
        delete.because
    );
}

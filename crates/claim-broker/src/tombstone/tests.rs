use super::*;

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

/// A claim with the marks of this tombstone, an order of a person's included.
fn claim(tombstone: Option<Tombstone>) -> ClaimFacts {
    let ordered = |tombstone: &Tombstone| tombstone.delete && !tombstone.by_class;
    let marks = tombstone
        .iter()
        .flat_map(|tombstone| annotations(tombstone, ordered(tombstone), "c"));
    let marks = marks.filter_map(|(mark, value)| Some((mark, value?))).collect();
    ClaimFacts {
        name: "c".into(),
        class: "pg".into(),
        marks,
        tombstone,
        ..ClaimFacts::default()
    }
}

fn stone(delete: bool) -> Tombstone {
    Tombstone {
        since: "1970-01-01T00:00:00Z".into(),
        until: "1970-01-01T01:30:00Z".into(),
        delete,
        by_class: false,
    }
}

fn mark(tombstone: Tombstone, ordered: bool) -> Act {
    Act::Mark { tombstone, ordered }
}

const LATE: i64 = 1 << 37;

#[test]
fn what_nobody_wants_is_marked_and_stays() {
    let retain = class(DeletionPolicy::Retain);
    assert_eq!(
        decide(&claim(None), false, false, Some(&retain), at(0)),
        mark(stone(false), false)
    );
    let kept = claim(Some(stone(false)));
    assert_eq!(decide(&kept, false, false, Some(&retain), at(LATE)), Act::Nothing);
    assert_eq!(
        decide(&claim(None), true, false, Some(&retain), at(0)),
        Act::Nothing
    );
}

#[test]
fn deleting_takes_a_second_act_and_the_grace_period() {
    let retain = class(DeletionPolicy::Retain);
    let kept = claim(Some(stone(false)));
    assert_eq!(
        decide(&kept, false, true, Some(&retain), at(LATE)),
        mark(stone(true), true)
    );
    let ordered = claim(Some(stone(true)));
    assert_eq!(
        decide(&ordered, false, false, Some(&retain), at(5399)),
        Act::Nothing
    );
    assert_eq!(
        decide(&ordered, false, false, Some(&retain), at(5400)),
        Act::Delete
    );
    let strange = claim(Some(Tombstone {
        until: "soon".into(),
        ..stone(true)
    }));
    assert_eq!(
        decide(&strange, false, false, Some(&retain), at(LATE)),
        Act::Nothing
    );
}

#[test]
fn an_order_that_was_there_before_anybody_let_go_is_no_order() {
    let retain = class(DeletionPolicy::Retain);
    let mut early = claim(None);
    early.marks.insert(marks::DELETE_DATA.into(), "c".into());
    let act = decide(&early, false, false, Some(&retain), at(0));
    assert_eq!(act, mark(stone(false), false));
    let Some(Action {
        deed: Deed::Annotate(marks),
        ..
    }) = action(&held(early), &act)
    else {
        panic!()
    };
    assert_eq!(marks[marks::DELETE_DATA], None, "it is taken off");
}

#[test]
fn a_class_may_say_that_its_data_go_by_themselves() {
    let delete = class(DeletionPolicy::Delete);
    let by_class = Tombstone {
        by_class: true,
        ..stone(true)
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
        Act::Delete
    );
    // Without the class nobody has said so, and they are kept for a week at least.
    let Act::Mark { tombstone, .. } = decide(&claim(None), false, false, None, at(0)) else {
        panic!()
    };
    assert_eq!(
        (tombstone.until.as_str(), tombstone.delete),
        ("1970-01-08T00:00:00Z", false)
    );
    // A class that says so only later gives its grace period from then on; one that says so no more keeps them.
    let kept = claim(Some(stone(false)));
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
        mark(stone(false), false)
    );
}

#[test]
fn what_is_wanted_again_loses_its_marks_and_is_never_deleted() {
    assert_eq!(
        decide(&claim(Some(stone(true))), true, true, None, at(LATE)),
        Act::Unmark
    );
    let mut ordered = claim(None);
    ordered.marks.insert(marks::DELETE_DATA.into(), "c".into());
    assert_eq!(decide(&ordered, true, false, None, at(0)), Act::Unmark);
}

#[test]
fn an_order_with_another_name_is_no_order() {
    let mut wrong = claim(Some(stone(false)));
    wrong.marks.insert(marks::DELETE_DATA.into(), "other".into());
    assert_eq!(decide(&wrong, false, false, None, at(LATE)), Act::Nothing);
}

fn held(claim: ClaimFacts) -> Held {
    Held {
        namespace: "team".into(),
        kind: crate::kinds::CLAIMS[0],
        claim,
    }
}

#[test]
fn an_action_rests_on_what_was_seen_and_says_why() {
    let delete = action(&held(claim(Some(stone(true)))), &Act::Delete).unwrap();
    assert_eq!(
        delete.annotations[marks::KEPT_UNTIL].as_deref(),
        Some("1970-01-01T01:30:00Z")
    );
    assert_eq!(delete.annotations[marks::DELETION_POLICY], None);
    assert_eq!(delete.labels[marks::CLASS].as_deref(), Some("pg"));
    assert!(
        delete.claimant.is_some(),
        "a binding that the caches do not know yet forbids it"
    );
    assert!(
        delete.because.ends_with("as somebody asked"),
        "{}",
        delete.because
    );
    let by_class = claim(Some(Tombstone {
        by_class: true,
        ..stone(true)
    }));
    let delete = action(&held(by_class), &Act::Delete).unwrap();
    assert!(
        delete
            .because
            .ends_with("as its class pg says (deletionPolicy: Delete)"),
        "{}",
        delete.because
    );
}

//! When data that nobody wants are marked, unmarked and deleted: decided here, done by `data`. Pure.

use idp_api::{ClaimClassSpec, claim_binding::Tombstone, claim_class::DeletionPolicy};
use jiff::{Span, Timestamp, ToSpan};

use crate::facts::ClaimFacts;

/// How long data are kept where their class is not there to say.
const WEEK: i64 = 168;

/// What to do about the marks of a claim, or about the claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// Mark it: nobody wants it.
    Mark(Tombstone),
    /// Take the marks off: somebody wants it.
    Unmark,
    /// Delete it with its data: somebody said so, and its time is over.
    Delete,
}

/// What to do about `claim`, which is wanted or not. `asked` is whether its binding says that its data may go.
pub fn decide(
    claim: &ClaimFacts,
    wanted: bool,
    asked: bool,
    class: Option<&ClaimClassSpec>,
    now: Timestamp,
) -> Act {
    if claim.deleting {
        return Act::Nothing;
    }
    if wanted {
        // An order to delete what is in use is no order: it is taken off, lest it count once the claim is let go.
        let marked = claim.tombstone.is_some() || claim.delete.is_some();
        return if marked { Act::Unmark } else { Act::Nothing };
    }
    let policy = class.map(|class| class.deletion_policy).unwrap_or_default();
    let delete = asked || policy == DeletionPolicy::Delete;
    match &claim.tombstone {
        None => Act::Mark(Tombstone {
            since: second(now),
            until: second(until(class, now)),
            delete: delete || claim.delete.as_deref() == Some(claim.name.as_str()),
        }),
        Some(tombstone) if delete && !tombstone.delete => Act::Mark(Tombstone {
            delete: true,
            ..tombstone.clone()
        }),
        Some(tombstone) if is_due(tombstone, now) => Act::Delete,
        Some(_) => Act::Nothing,
    }
}

/// Whether the data may go, and their time is over. A time that does not parse is never over.
pub fn is_due(tombstone: &Tombstone, now: Timestamp) -> bool {
    tombstone.delete
        && tombstone
            .until
            .parse::<Timestamp>()
            .is_ok_and(|until| until <= now)
}

fn until(class: Option<&ClaimClassSpec>, now: Timestamp) -> Timestamp {
    let grace = class
        .and_then(|class| grace(&class.grace_period))
        .unwrap_or_else(|| WEEK.hours());
    now.checked_add(grace).unwrap_or(Timestamp::MAX)
}

/// A duration such as `1h30m`. The schema allows no other form.
fn grace(text: &str) -> Option<Span> {
    let duration: jiff::SignedDuration = text.parse().ok()?;
    Some(duration.as_secs().seconds())
}

/// A time as annotations write it.
pub fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
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

    fn claim(tombstone: Option<Tombstone>) -> ClaimFacts {
        let delete = tombstone
            .as_ref()
            .filter(|tombstone| tombstone.delete)
            .map(|_| "c".to_owned());
        ClaimFacts {
            name: "c".into(),
            tombstone,
            delete,
            ..ClaimFacts::default()
        }
    }

    fn stone(delete: bool) -> Tombstone {
        Tombstone {
            since: "1970-01-01T00:00:00Z".into(),
            until: "1970-01-01T01:30:00Z".into(),
            delete,
        }
    }

    #[test]
    fn what_nobody_wants_is_marked_and_stays() {
        let retain = class(DeletionPolicy::Retain);
        assert_eq!(
            decide(&claim(None), false, false, Some(&retain), at(0)),
            Act::Mark(stone(false))
        );
        assert_eq!(
            decide(
                &claim(Some(stone(false))),
                false,
                false,
                Some(&retain),
                at(1 << 37)
            ),
            Act::Nothing
        );
        assert_eq!(
            decide(&claim(None), true, false, Some(&retain), at(0)),
            Act::Nothing
        );
    }

    #[test]
    fn deleting_takes_a_second_act_and_the_grace_period() {
        let retain = class(DeletionPolicy::Retain);
        assert_eq!(
            decide(
                &claim(Some(stone(false))),
                false,
                true,
                Some(&retain),
                at(1 << 37)
            ),
            Act::Mark(stone(true))
        );
        assert_eq!(
            decide(&claim(Some(stone(true))), false, false, Some(&retain), at(5399)),
            Act::Nothing
        );
        assert_eq!(
            decide(&claim(Some(stone(true))), false, false, Some(&retain), at(5400)),
            Act::Delete
        );
        let strange = Tombstone {
            until: "soon".into(),
            ..stone(true)
        };
        assert_eq!(
            decide(&claim(Some(strange)), false, false, Some(&retain), at(1 << 37)),
            Act::Nothing
        );
    }

    #[test]
    fn a_class_may_say_that_its_data_go_by_themselves() {
        let delete = class(DeletionPolicy::Delete);
        assert_eq!(
            decide(&claim(None), false, false, Some(&delete), at(0)),
            Act::Mark(stone(true))
        );
        // Without the class nobody has said so, and they are kept for a week at least.
        let Act::Mark(tombstone) = decide(&claim(None), false, false, None, at(0)) else {
            panic!()
        };
        assert_eq!(
            (tombstone.until.as_str(), tombstone.delete),
            ("1970-01-08T00:00:00Z", false)
        );
    }

    #[test]
    fn what_is_wanted_again_loses_its_marks_and_is_never_deleted() {
        assert_eq!(
            decide(&claim(Some(stone(true))), true, true, None, at(1 << 37)),
            Act::Unmark
        );
        let ordered = ClaimFacts {
            delete: Some("c".into()),
            ..claim(None)
        };
        assert_eq!(decide(&ordered, true, false, None, at(0)), Act::Unmark);
    }

    #[test]
    fn an_order_with_another_name_is_no_order() {
        let wrong = ClaimFacts {
            delete: Some("other".into()),
            ..claim(Some(stone(false)))
        };
        assert_eq!(decide(&wrong, false, false, None, at(1 << 37)), Act::Nothing);
    }
}

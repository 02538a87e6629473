//! When data that nobody wants are marked, unmarked and deleted: decided here, carried out by the runtime. Pure.
//!
//! The class is that of the claim, never of whoever asks. A claim is deleted only if it says itself that nobody wants it,
//! that somebody or its class said it may go, and that its time is over; and if no binding wants it.

use std::collections::BTreeMap;

use idp_api::{ClaimClassSpec, claim_binding::Tombstone, claim_class::DeletionPolicy, kinds::CLAIM_BINDING};
use idp_core::{Acted, Action, Deed, Effect, action::Claimant, labels};
use jiff::{Span, Timestamp, ToSpan};
use serde_json::json;

use crate::{data::Held, facts, facts::ClaimFacts, marks};

/// How long data are kept where their class is not there to say.
const WEEK: i64 = 168;

/// What to do about the marks of a claim, or about the claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// Mark it: nobody wants it.
    Mark {
        /// What the marks say.
        tombstone: Tombstone,
        /// Whether somebody has said that the data may go.
        ordered: bool,
    },
    /// Take the marks off: somebody wants it.
    Unmark,
    /// Delete it with its data: somebody or its class said so, and its time is over.
    Delete,
}

/// What to do about `claim`, which is wanted or not. `asked` is whether its binding says that its data may go; `class` is
/// the claim's own.
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
        let marked = claim.tombstone.is_some() || !claim.marks.is_empty();
        return if marked { Act::Unmark } else { Act::Nothing };
    }
    let Some(tombstone) = &claim.tombstone else {
        return release(asked, class, now);
    };
    let ordered = asked || claim.is_ordered();
    let by_class = class.map_or(tombstone.by_class, goes_by_itself);
    let mut next = Tombstone {
        delete: ordered || by_class,
        by_class,
        ..tombstone.clone()
    };
    if by_class && !tombstone.by_class {
        // The class says so only now: its grace period begins now, as nobody could know before.
        next.until = next.until.max(second(until(class, now)));
    }
    if next != *tombstone || ordered != claim.is_ordered() {
        return Act::Mark {
            tombstone: next,
            ordered,
        };
    }
    if is_due(tombstone, now) {
        Act::Delete
    } else {
        Act::Nothing
    }
}

/// Marks a claim that nobody wants from now on, whatever it said before.
pub fn release(asked: bool, class: Option<&ClaimClassSpec>, now: Timestamp) -> Act {
    let by_class = class.is_some_and(goes_by_itself);
    Act::Mark {
        tombstone: Tombstone {
            since: second(now),
            until: second(until(class, now)),
            delete: asked || by_class,
            by_class,
        },
        ordered: asked,
    }
}

fn goes_by_itself(class: &ClaimClassSpec) -> bool {
    class.deletion_policy == DeletionPolicy::Delete
}

/// The action that carries `act` out on the claim as it was seen; none where there is nothing to do.
pub fn action(held: &Held, act: &Act) -> Option<Action> {
    let claim = &held.claim;
    let (deed, because) = match act {
        Act::Nothing => return None,
        Act::Mark { tombstone, ordered } => (
            Deed::Annotate(annotations(tombstone, *ordered, &claim.name)),
            kept(claim, tombstone),
        ),
        Act::Unmark => (
            Deed::Annotate(marks::RETENTION.map(|mark| (mark.to_owned(), None)).into()),
            "the claim is wanted again".to_owned(),
        ),
        Act::Delete => (Deed::Delete, deleted(claim)),
    };
    let seen = marks::RETENTION.map(|mark| (mark.to_owned(), claim.marks.get(mark).cloned()));
    let label = |text: &String| (!text.is_empty()).then(|| text.clone());
    let claimant = matches!(act, Act::Delete).then(|| Claimant {
        kind: CLAIM_BINDING,
        namespace: held.namespace.clone(),
        name: claim.name.clone(),
        pointer: "/spec/released",
        gives_way: json!(true),
    });
    Some(Action {
        kind: held.kind,
        namespace: held.namespace.clone(),
        name: claim.name.clone(),
        uid: claim.uid.clone(),
        deed,
        annotations: seen.into(),
        labels: [
            (marks::CLASS.to_owned(), label(&claim.class)),
            (labels::APPLICATION.to_owned(), label(&claim.application)),
        ]
        .into(),
        claimant,
        because,
    })
}

/// The claim as an action left it; none where it is gone.
pub fn after(claim: &ClaimFacts, acted: &Acted) -> Option<ClaimFacts> {
    let seen = acted.facts.as_ref().and_then(facts::parse);
    match (&acted.action.deed, acted.effect) {
        (Deed::Delete, Effect::Done) => Some(ClaimFacts {
            deleting: true,
            ..claim.clone()
        }),
        (_, Effect::Moot) => seen,
        (_, Effect::Failed) => Some(claim.clone()),
        _ => seen.or_else(|| Some(claim.clone())),
    }
}

fn annotations(tombstone: &Tombstone, ordered: bool, name: &str) -> BTreeMap<String, Option<String>> {
    [
        (marks::RELEASED_AT, Some(tombstone.since.clone())),
        (marks::KEPT_UNTIL, Some(tombstone.until.clone())),
        (marks::DELETE_DATA, ordered.then(|| name.to_owned())),
        (
            marks::DELETION_POLICY,
            tombstone.by_class.then(|| marks::BY_CLASS.to_owned()),
        ),
    ]
    .map(|(mark, value)| (mark.to_owned(), value))
    .into()
}

/// For the log: what the mark means.
fn kept(claim: &ClaimFacts, tombstone: &Tombstone) -> String {
    let until = &tombstone.until;
    if tombstone.delete {
        format!(
            "nobody wants the claim; its data are deleted after {until}, {}",
            reason(claim, tombstone)
        )
    } else {
        format!("nobody wants the claim; its data are kept, until {until} at least")
    }
}

/// For the log: why the data went.
fn deleted(claim: &ClaimFacts) -> String {
    let tombstone = claim.tombstone.clone().unwrap_or_default();
    format!("its grace period is over; {}", reason(claim, &tombstone))
}

/// Who says that the data go.
pub fn reason(claim: &ClaimFacts, tombstone: &Tombstone) -> String {
    if tombstone.by_class {
        by_class(&claim.class)
    } else {
        "as somebody asked".to_owned()
    }
}

/// That the class says so.
pub fn by_class(class: &str) -> String {
    format!("as its class {class} says (deletionPolicy: Delete)")
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
mod tests;

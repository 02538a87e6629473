//! When retained data are marked, unmarked and deleted: decided here, carried out by the runtime. Pure.
//!
//! The class is the claim's own, never the requester's. A claim is deleted only if its annotations say that no application
//! uses it, that its deletion was requested or its class deletes it, and that its grace period is over; and if no binding
//! uses it.

use idp_api::{ClaimClassSpec, claim_binding::Tombstone, claim_class::DeletionPolicy};
use jiff::{Span, Timestamp, ToSpan};

use crate::facts::ClaimFacts;

/// How long data are kept if their class does not exist, in hours: a week.
const DEFAULT_GRACE_HOURS: i64 = 168;

/// What to do about a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Nothing.
    Nothing,
    /// Set the retention annotations: no application uses it.
    Mark {
        /// What the annotations say.
        tombstone: Tombstone,
        /// Whether a person requested the deletion of the data.
        requested: bool,
    },
    /// Remove the retention annotations: an application uses it.
    Unmark,
    /// Delete it with its data: the deletion was requested or its class deletes it, and the grace period is over.
    Delete,
}

/// What to do about `claim`. `requested` is whether its binding requests the deletion of the data; `class` is the claim's
/// own.
pub fn decide(
    claim: &ClaimFacts,
    in_use: bool,
    requested: bool,
    class: Option<&ClaimClassSpec>,
    now: Timestamp,
) -> Decision {
    if claim.deleting {
        return Decision::Nothing;
    }
    if in_use {
        // A request to delete data in use is void. It is removed, so that it does not count after a release.
        let marked = claim.tombstone.is_some() || !claim.retention.is_empty();
        return if marked {
            Decision::Unmark
        } else {
            Decision::Nothing
        };
    }
    let Some(tombstone) = &claim.tombstone else {
        return release(requested, class, now);
    };
    let requested = requested || claim.is_deletion_requested();
    let by_class = class.map_or(tombstone.by_class, deletes_without_request);
    let mut next = Tombstone {
        delete: requested || by_class,
        by_class,
        ..tombstone.clone()
    };
    if by_class && !tombstone.by_class {
        // The class changed to `Delete` after the release: the grace period starts now, because no one could know before.
        next.until = next.until.max(second(until(class, now)));
    }
    if next != *tombstone || requested != claim.is_deletion_requested() {
        return Decision::Mark {
            tombstone: next,
            requested,
        };
    }
    if is_due(tombstone, now) {
        Decision::Delete
    } else {
        Decision::Nothing
    }
}

/// Marks a claim that no application uses from now on, whatever its annotations say.
pub fn release(requested: bool, class: Option<&ClaimClassSpec>, now: Timestamp) -> Decision {
    let by_class = class.is_some_and(deletes_without_request);
    Decision::Mark {
        tombstone: Tombstone {
            since: second(now),
            until: second(until(class, now)),
            delete: requested || by_class,
            by_class,
        },
        requested,
    }
}

fn deletes_without_request(class: &ClaimClassSpec) -> bool {
    class.deletion_policy == DeletionPolicy::Delete
}

/// Whether the data are to be deleted and the grace period is over. A time that does not parse never comes.
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
        .unwrap_or_else(|| DEFAULT_GRACE_HOURS.hours());
    now.checked_add(grace).unwrap_or(Timestamp::MAX)
}

/// A duration such as `1h30m`; the schema allows no other form.
fn grace(text: &str) -> Option<Span> {
    let duration: jiff::SignedDuration = text.parse().ok()?;
    Some(duration.as_secs().seconds())
}

/// A time as the annotations have it.
pub fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests;

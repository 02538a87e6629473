//! The version of what pods read, and when it is given out. Pure; the clock is an argument.
//!
//! Several secrets mostly change together, and a new one must be in place before pods look for it. So a new version is
//! given out only after a few quiet seconds, once for all that changed meanwhile.

use std::time::Duration;

use idp_api::secret_binding::PendingVersion;
use jiff::{SignedDuration, Timestamp};

/// How long nothing must have changed.
pub(crate) const QUIET: Duration = Duration::from_secs(5);
/// Longest that a version is held back while changes go on.
const LONGEST: Duration = Duration::from_secs(60);

/// What the status says of versions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Versions {
    pub(crate) version: Option<String>,
    pub(crate) pending: Option<PendingVersion>,
}

/// The next state. `current` is the version of what is there now; `None` while something has not been there yet.
pub(crate) fn next(previous: &Versions, current: Option<&str>, now: Timestamp) -> Versions {
    let pending = previous.pending.as_ref();
    let was_given_out = previous.version.is_some() || pending.is_some();
    let wait = |version: &str| {
        Some(PendingVersion {
            version: version.to_owned(),
            first: pending.map_or_else(|| now.to_string(), |pending| pending.first.clone()),
            last: now.to_string(),
        })
    };
    let Some(current) = current else {
        // Pods wait, and what comes is given out only when it is quiet.
        let pending = match pending {
            Some(waiting) if waiting.version.is_empty() => Some(waiting.clone()),
            _ if was_given_out => wait(""),
            _ => None,
        };
        return Versions {
            version: None,
            pending,
        };
    };
    let give_out = Versions {
        version: Some(current.to_owned()),
        pending: None,
    };
    if previous.version.as_deref() == Some(current) || !was_given_out {
        return give_out;
    }
    match pending.filter(|pending| pending.version == current) {
        Some(waiting) if since(&waiting.last, now) >= QUIET || since(&waiting.first, now) >= LONGEST => {
            give_out
        }
        Some(waiting) => Versions {
            version: previous.version.clone(),
            pending: Some(waiting.clone()),
        },
        None => Versions {
            version: previous.version.clone(),
            pending: wait(current),
        },
    }
}

/// How long until the pending version is due.
pub(crate) fn due(pending: &PendingVersion, now: Timestamp) -> Option<Duration> {
    let left = QUIET.saturating_sub(since(&pending.last, now));
    // A version that does not exist yet comes with an event.
    (!pending.version.is_empty()).then(|| left + Duration::from_millis(50))
}

/// A time that cannot be read was long ago.
fn since(time: &str, now: Timestamp) -> Duration {
    let then: Timestamp = time.parse().unwrap_or(Timestamp::UNIX_EPOCH);
    let passed = now.duration_since(then).max(SignedDuration::ZERO);
    passed.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    #[test]
    fn the_first_version_is_given_out_at_once() {
        let nothing = next(&Versions::default(), None, at(0));
        assert_eq!(nothing, Versions::default());
        assert_eq!(next(&nothing, Some("a"), at(1)).version.as_deref(), Some("a"));
    }

    #[test]
    fn changes_are_given_out_once_when_it_is_quiet() {
        let mut state = next(&Versions::default(), Some("a"), at(0));
        for (second, version) in [(10, "b"), (12, "c"), (14, "d")] {
            state = next(&state, Some(version), at(second));
            assert_eq!(state.version.as_deref(), Some("a"));
        }
        state = next(&state, Some("d"), at(18));
        assert_eq!(state.version.as_deref(), Some("a"), "four seconds are not enough");
        assert!(due(state.pending.as_ref().unwrap(), at(18)).unwrap() > Duration::from_secs(1));
        state = next(&state, Some("d"), at(19));
        assert_eq!((state.version.as_deref(), state.pending), (Some("d"), None));
    }

    #[test]
    fn a_change_that_is_taken_back_rolls_nothing() {
        let first = next(&Versions::default(), Some("a"), at(0));
        let changed = next(&first, Some("b"), at(10));
        assert_eq!(next(&changed, Some("a"), at(12)), first);
    }

    #[test]
    fn endless_changes_are_given_out_at_last() {
        let mut state = next(&Versions::default(), Some("0"), at(0));
        for second in 1..200 {
            state = next(&state, Some(&format!("{}", second / 3)), at(second));
        }
        assert_ne!(state.version.as_deref(), Some("0"));
    }

    #[test]
    fn a_new_secret_holds_pods_until_it_is_there_and_quiet() {
        let first = next(&Versions::default(), Some("a"), at(0));
        let missing = next(&first, None, at(10));
        assert_eq!(missing.version, None);
        assert_eq!(next(&missing, None, at(11)), missing, "waiting changes nothing");
        let there = next(&missing, Some("b"), at(20));
        assert_eq!(there.version, None);
        let updated = next(&there, Some("c"), at(21));
        assert_eq!(next(&updated, Some("c"), at(26)).version.as_deref(), Some("c"));
    }
}

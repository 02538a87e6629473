//! The version of the data that pods read, and when it is published. Pure; the clock is an argument.
//!
//! Several secrets often change together, and a new one must exist before pods read it. So a new version is published
//! only after a few seconds without changes, once for all of them.

use std::time::Duration;

use idp_api::secret_binding::PendingVersion;
use jiff::{SignedDuration, Timestamp};

/// A version is published after this time without changes.
pub(crate) const QUIET: Duration = Duration::from_secs(5);
/// The maximum delay of a version while changes continue.
const MAX_DELAY: Duration = Duration::from_secs(60);

/// The versions in a status.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Versions {
    pub(crate) version: Option<String>,
    pub(crate) pending: Option<PendingVersion>,
}

/// The next versions. `current` is the version of the existing data; `None` while a secret has never been synchronized.
pub(crate) fn next(previous: &Versions, current: Option<&str>, now: Timestamp) -> Versions {
    let pending = previous.pending.as_ref();
    let was_published = previous.version.is_some() || pending.is_some();
    let wait = |version: &str| {
        Some(PendingVersion {
            version: version.to_owned(),
            first: pending.map_or_else(|| now.to_string(), |pending| pending.first.clone()),
            last: now.to_string(),
        })
    };
    let Some(current) = current else {
        // Pods wait. The next version is published only after a while without changes.
        let pending = match pending {
            Some(waiting) if waiting.version.is_empty() => Some(waiting.clone()),
            _ if was_published => wait(""),
            _ => None,
        };
        return Versions {
            version: None,
            pending,
        };
    };
    let publish = Versions {
        version: Some(current.to_owned()),
        pending: None,
    };
    if previous.version.as_deref() == Some(current) || !was_published {
        return publish;
    }
    match pending.filter(|pending| pending.version == current) {
        Some(waiting) if since(&waiting.last, now) >= QUIET || since(&waiting.first, now) >= MAX_DELAY => {
            publish
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

/// The time until the pending version is published.
pub(crate) fn due(pending: &PendingVersion, now: Timestamp) -> Option<Duration> {
    let left = QUIET.saturating_sub(since(&pending.last, now));
    // A version that does not exist yet comes with an event of its secret.
    (!pending.version.is_empty()).then(|| left + Duration::from_millis(50))
}

/// The time since then; a time that does not parse was long ago.
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
    fn the_first_version_is_published_at_once() {
        let nothing = next(&Versions::default(), None, at(0));
        assert_eq!(nothing, Versions::default());
        assert_eq!(next(&nothing, Some("a"), at(1)).version.as_deref(), Some("a"));
    }

    #[test]
    fn changes_are_published_once_when_they_end() {
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
    fn a_reverted_change_causes_no_rollout() {
        let first = next(&Versions::default(), Some("a"), at(0));
        let changed = next(&first, Some("b"), at(10));
        assert_eq!(next(&changed, Some("a"), at(12)), first);
    }

    #[test]
    fn endless_changes_are_published_eventually() {
        let mut state = next(&Versions::default(), Some("0"), at(0));
        for second in 1..200 {
            state = next(&state, Some(&format!("{}", second / 3)), at(second));
        }
        assert_ne!(state.version.as_deref(), Some("0"));
    }

    #[test]
    fn a_new_secret_holds_pods_until_it_exists_without_changes() {
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

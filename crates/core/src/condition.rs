//! Status conditions, in the form that `kubectl wait` and kstatus read.
//!
//! `Reconciling` and `Stalled` are abnormal-true: they are present only while they are true.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything in the spec exists and works.
pub const READY: &str = "Ready";
/// The objects match the plan, whether or not they work yet.
pub const SYNCED: &str = "Synced";
/// Work is in progress; no action is required.
pub const RECONCILING: &str = "Reconciling";
/// Work cannot continue without a change by the user or the platform team.
pub const STALLED: &str = "Stalled";

/// One condition. The same fields as `metav1.Condition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Name of the condition, such as `Ready`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Reason for the status, one word in CamelCase.
    pub reason: String,
    /// Explanation for people.
    pub message: String,
    /// When `status` last changed, in RFC 3339 with seconds.
    pub last_transition_time: String,
    /// The `metadata.generation` that the condition describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

impl Condition {
    /// Whether its status is `True`.
    pub fn is_true(&self) -> bool {
        self.status == "True"
    }
}

/// Builds the next list of conditions from the previous one. A transition time changes only when the status of its
/// condition does. The clock is an argument.
pub struct ConditionSet<'a> {
    previous: &'a [Condition],
    generation: Option<i64>,
    now: Timestamp,
    next: Vec<Condition>,
}

impl<'a> ConditionSet<'a> {
    /// Starts from the current conditions.
    pub fn new(previous: &'a [Condition], generation: Option<i64>, now: Timestamp) -> Self {
        Self {
            previous,
            generation,
            now,
            next: Vec::new(),
        }
    }

    /// Adds a condition.
    #[must_use]
    pub fn set(mut self, type_: &str, is_true: bool, reason: &str, message: impl Into<String>) -> Self {
        let status = if is_true { "True" } else { "False" };
        let last_transition_time = self
            .previous
            .iter()
            .find(|old| old.type_ == type_ && old.status == status)
            .map(|old| old.last_transition_time.clone())
            .unwrap_or_else(|| self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        self.next.push(Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.into(),
            last_transition_time,
            observed_generation: self.generation,
        });
        self
    }

    /// Adds an abnormal-true condition, if it is true.
    #[must_use]
    pub fn set_abnormal(self, type_: &str, is_true: bool, reason: &str, message: impl Into<String>) -> Self {
        if is_true {
            self.set(type_, true, reason, message)
        } else {
            self
        }
    }

    /// The list, in the order in which the conditions were set.
    pub fn finish(self) -> Vec<Condition> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transition_time_changes_only_with_the_status() {
        let first = ConditionSet::new(&[], Some(1), Timestamp::UNIX_EPOCH)
            .set(READY, false, "Waiting", "")
            .finish();
        let later = Timestamp::from_second(60).unwrap();
        let same = ConditionSet::new(&first, Some(2), later)
            .set(READY, false, "StillWaiting", "")
            .finish();
        assert_eq!(same[0].last_transition_time, "1970-01-01T00:00:00Z");
        assert_eq!(same[0].observed_generation, Some(2));
        let turned = ConditionSet::new(&same, Some(2), later)
            .set(READY, true, "Available", "")
            .finish();
        assert_eq!(turned[0].last_transition_time, "1970-01-01T00:01:00Z");
    }

    #[test]
    fn abnormal_conditions_are_absent_when_false() {
        let none = ConditionSet::new(&[], None, Timestamp::UNIX_EPOCH)
            .set_abnormal(STALLED, false, "", "")
            .finish();
        assert!(none.is_empty());
    }
}

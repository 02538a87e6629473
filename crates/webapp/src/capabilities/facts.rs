//! Facts of bindings: the contract that all their kinds share.

use idp_core::{Problem, condition::READY, labels};
use kube::core::DynamicObject;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The facts of a binding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BindingFacts {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Hash of the plan that it was written from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// Whether its status is of its current spec.
    pub observed: bool,
    /// Whether it is `Ready`.
    pub ready: bool,
    /// Reason of its `Ready` condition.
    pub reason: String,
    /// Message of its `Ready` condition.
    pub message: String,
    /// Version of what pods read; absent until all of it has existed once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its problems.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

impl BindingFacts {
    /// Whether pods may start that read from the binding with this planned object.
    pub fn serves(&self, planned: &Value) -> bool {
        self.plan_hash.as_deref() == Some(&idp_core::hash::of(planned))
            && self.observed
            && self.version.is_some()
    }
}

/// The facts of a binding of any kind.
pub fn binding(object: &DynamicObject) -> Value {
    let status = &object.data["status"];
    let ready = status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == READY);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let metadata = &object.metadata;
    let facts = BindingFacts {
        kind: object
            .types
            .as_ref()
            .map(|types| types.kind.clone())
            .unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
        plan_hash: metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(labels::PLAN_HASH).cloned()),
        observed: metadata.generation.is_some()
            && metadata.generation == status["observedGeneration"].as_i64(),
        ready: ready.is_some_and(|condition| condition["status"] == "True"),
        reason: text(ready.map(|condition| &condition["reason"])),
        message: text(ready.map(|condition| &condition["message"])),
        version: status["version"].as_str().map(str::to_owned),
        problems: problems(&status["problems"]),
    };
    serde_json::to_value(facts).unwrap_or_default()
}

/// The problems of a binding's status. If they cannot be read, that is a problem too.
fn problems(problems: &Value) -> Vec<Problem> {
    if problems.is_null() {
        return Vec::new();
    }
    Vec::deserialize(problems).unwrap_or_else(|error| {
        let message = format!("Cannot read status.problems of the binding: {error}.");
        vec![Problem::warning(crate::reasons::STATUS_UNREADABLE, message)]
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(status: &Value) -> BindingFacts {
        let object = json!({
            "apiVersion": "idp.dev/v1alpha1", "kind": "SecretBinding",
            "metadata": {"name": "shop", "generation": 2, "annotations": {
                "idp.dev/plan-hash": idp_core::hash::of(&json!({"a": 1})),
            }},
            "status": status,
        });
        BindingFacts::deserialize(binding(&serde_json::from_value(object).unwrap())).unwrap()
    }

    #[test]
    fn pods_wait_for_the_version_of_the_present_plan() {
        let there = facts(&json!({"observedGeneration": 2, "version": "1"}));
        assert!(there.serves(&json!({"a": 1})));
        assert!(!there.serves(&json!({"a": 2})), "the new plan is not applied yet");
        assert!(!facts(&json!({"observedGeneration": 1, "version": "1"})).serves(&json!({"a": 1})));
        assert!(!facts(&json!({"observedGeneration": 2})).serves(&json!({"a": 1})));
    }

    #[test]
    fn problems_that_cannot_be_read_are_not_none() {
        assert!(facts(&json!({"problems": []})).problems.is_empty());
        let read = facts(&json!({"problems": [{"reason": 5}]})).problems;
        assert_eq!(read[0].reason, "StatusUnreadable");
    }

    #[test]
    fn a_passing_failure_keeps_the_version() {
        let failing = facts(&json!({
            "observedGeneration": 2, "version": "1",
            "conditions": [{"type": "Ready", "status": "False", "reason": "StoreDown", "message": "no answer"}],
        }));
        assert!(failing.serves(&json!({"a": 1})) && !failing.ready);
        assert_eq!(failing.reason, "StoreDown");
    }
}

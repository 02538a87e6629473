//! Facts that the caches keep of External Secrets' objects. They never include data of a Secret.

use idp_api::environment::SecretsLimits;
use idp_runtime::ObjectKey;
use kube::core::DynamicObject;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sync_error;

/// An `ExternalSecret`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ExternalSecretFacts {
    /// Its UID; events refer to it.
    pub(crate) uid: String,
    /// Whether its current spec was synchronized at least once.
    pub(crate) synced: bool,
    /// Generation and hash of its metadata at its last synchronization.
    pub(crate) synced_version: String,
    /// Whether it is `Ready`; `None` while it has no condition.
    pub(crate) ready: Option<bool>,
}

/// An `ExternalSecret`, without the time of its last refresh: it changes all the time, and nothing depends on it.
pub(crate) fn external_secret(object: &DynamicObject) -> Value {
    let status = &object.data["status"];
    let synced_version = status["syncedResourceVersion"].as_str().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    let ready = status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready")
        .map(|condition| condition["status"] == "True");
    json!(ExternalSecretFacts {
        uid: object.metadata.uid.clone().unwrap_or_default(),
        synced: synced_version
            .split_once('-')
            .is_some_and(|(synced, _)| synced == generation.to_string()),
        synced_version: synced_version.to_owned(),
        ready,
    })
}

/// Whether a store is ready: `true`, `false`, or `null` while it has no condition.
pub(crate) fn store(object: &DynamicObject) -> Value {
    object.data["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready")
        .map_or(Value::Null, |condition| json!(condition["status"] == "True"))
}

/// An Environment: its secret store, and the limits of its use.
pub(crate) fn environment(object: &DynamicObject) -> Value {
    let spec = &object.data["spec"];
    let mut secrets = spec["secrets"].clone();
    if let Some(secrets) = secrets.as_object_mut() {
        let limits = match &spec["limits"]["secrets"] {
            // An Environment from before this field existed.
            Value::Null => json!(SecretsLimits::default()),
            limits => limits.clone(),
        };
        secrets.insert("limits".to_owned(), limits);
    }
    secrets
}

/// An event about an `ExternalSecret`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventFacts {
    /// UID of the `ExternalSecret`.
    pub(crate) about: String,
    /// When it happened last, in RFC 3339, so that strings compare by time.
    pub(crate) at: String,
    /// What happened.
    pub(crate) what: Happened,
}

/// What happened to an `ExternalSecret`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Happened {
    /// Its Secret was changed.
    Changed,
    /// It could not be synchronized.
    Failed(sync_error::Cause),
}

/// An event: only events report that a Secret was changed, and why one could not be created.
pub(crate) fn event(object: &DynamicObject) -> Value {
    let data = &object.data;
    let what = match (data["reason"].as_str(), data["message"].as_str()) {
        (Some("Updated"), _) => Happened::Changed,
        (Some("UpdateFailed"), Some(message)) => Happened::Failed(sync_error::cause(message)),
        _ => return Value::Null,
    };
    let at = [
        &data["series"]["lastObservedTime"],
        &data["lastTimestamp"],
        &data["eventTime"],
    ]
    .into_iter()
    .find_map(Value::as_str);
    match (data["involvedObject"]["uid"].as_str(), at) {
        (Some(about), Some(at)) => json!(EventFacts {
            about: about.to_owned(),
            at: at.to_owned(),
            what,
        }),
        _ => Value::Null,
    }
}

/// The SecretBinding of an event: an `ExternalSecret` is named `BINDING.SECRET`.
pub(crate) fn event_binding(object: &DynamicObject) -> Option<ObjectKey> {
    let involved = &object.data["involvedObject"];
    let (binding, _) = involved["name"].as_str()?.rsplit_once('.')?;
    // The event's own namespace: a tenant can write any other one into the event.
    Some(ObjectKey::new(object.metadata.namespace.as_deref()?, binding))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_refresh_without_changes_changes_no_facts() {
        let at = |refreshed: &str| {
            external_secret(&object(json!({
                "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
                "metadata": {"name": "shop.db", "uid": "u", "generation": 2},
                "status": {"refreshTime": refreshed, "syncedResourceVersion": "2-abc",
                    "conditions": [{"type": "Ready", "status": "True"}]},
            })))
        };
        assert_eq!(at("2026-01-01T00:00:00Z"), at("2026-01-01T01:00:00Z"));
        assert_eq!(at("")["synced"], true);
    }

    #[test]
    fn another_spec_is_not_synced_yet() {
        let facts = external_secret(&object(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "shop.db", "generation": 12},
            "status": {"syncedResourceVersion": "1-abc"},
        })));
        assert_eq!(facts["synced"], false);
        assert_eq!(facts["ready"], Value::Null);
    }

    #[test]
    fn an_environment_has_its_store_and_its_limits() {
        let read = |spec: Value| {
            let environment = json!({"apiVersion": "idp.dev/v1alpha1", "kind": "Environment", "metadata": {}, "spec": spec});
            super::environment(&object(environment))
        };
        let store = json!({"store": "aws"});
        let facts = read(json!({"secrets": store}));
        assert_eq!(facts, json!({"store": "aws", "limits": {"leastInterval": "1m"}}));
        let limits = json!({"secrets": {"leastInterval": "5m"}});
        assert_eq!(
            read(json!({"secrets": store, "limits": limits}))["limits"]["leastInterval"],
            "5m"
        );
        assert_eq!(read(json!({"limits": limits})), Value::Null);
    }

    #[test]
    fn events_name_the_binding() {
        let event = |reason: &str| {
            object(json!({
                "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "team-a"},
                "reason": reason, "message": "secret updated", "lastTimestamp": "2026-01-01T00:00:00Z",
                "involvedObject": {"kind": "ExternalSecret", "namespace": "team-a", "name": "shop.db", "uid": "u"},
            }))
        };
        assert_eq!(
            event_binding(&event("Updated")),
            Some(ObjectKey::new("team-a", "shop"))
        );
        assert_eq!(super::event(&event("Updated"))["what"], "changed");
        assert_eq!(super::event(&event("Created")), Value::Null);
    }
}

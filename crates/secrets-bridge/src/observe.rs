//! caches -> [`Observed`]. The only phase that reads.

use std::collections::BTreeMap;

use idp_api::{
    SecretBinding,
    environment::{SecretDefaults, SecretsLimits},
    kinds::ENVIRONMENT,
};
use idp_runtime::{FactsError, ObjectKey, View};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    facts::{EventFacts, ExternalSecretFacts},
    kinds::{CLUSTER_SECRET_STORE, EVENT, EXTERNAL_SECRET, SECRET_STORE},
};

/// The input of `validate` and `status` besides the binding itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    /// The secret store and its limits of each Environment, or why it could not be parsed. There should be one Environment.
    pub(crate) environments: Vec<Result<Option<(SecretDefaults, SecretsLimits)>, String>>,
    /// The `ExternalSecret`s that exist, by name.
    pub(crate) external_secrets: BTreeMap<String, ExternalSecretFacts>,
    /// Their latest events.
    pub(crate) events: Vec<EventFacts>,
    /// The state of the binding's store.
    pub(crate) store: Store,
}

/// The state of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Store {
    /// It does not exist.
    Missing,
    /// It is not ready.
    Down,
    /// It is ready, or has no condition yet.
    #[default]
    Fine,
}

/// The limits of a secret store.
#[derive(Deserialize)]
struct Bounds {
    limits: SecretsLimits,
}

/// Collects what the plan of `binding` depends on.
pub(crate) fn observe(binding: &SecretBinding, view: &View<SecretBinding>) -> Result<Observed, FactsError> {
    let key = ObjectKey::of(binding);
    let store = &binding.spec.store;
    let kind = if store.kind == CLUSTER_SECRET_STORE.kind {
        CLUSTER_SECRET_STORE
    } else {
        SECRET_STORE
    };
    let namespace = if kind.namespaced {
        key.namespace.as_str()
    } else {
        ""
    };
    let unreadable = |key: ObjectKey, error: FactsError| {
        format!(
            "Environment {} cannot be read: {}",
            key.name,
            error.message_at("spec.secrets")
        )
    };
    // The same facts, read twice: this way, paths in errors are those of the Environment.
    let secrets = view.read_all::<Option<SecretDefaults>>(ENVIRONMENT).into_iter();
    let bounds = view.read_all::<Option<Bounds>>(ENVIRONMENT).into_iter();
    let environments = secrets
        .zip(bounds)
        .map(|((key, secrets), (_, bounds))| match (secrets, bounds) {
            (Ok(secrets), Ok(bounds)) => Ok(secrets.zip(bounds.map(|bounds| bounds.limits))),
            (Err(error), _) | (_, Err(error)) => Err(unreadable(key, error)),
        });
    let external_secrets = view.children(EXTERNAL_SECRET, binding)?.into_iter();
    let events: Vec<(ObjectKey, Option<EventFacts>)> = view.about(EVENT, &key)?;
    Ok(Observed {
        environments: environments.collect(),
        external_secrets: external_secrets.map(|(key, facts)| (key.name, facts)).collect(),
        events: events.into_iter().filter_map(|(_, facts)| facts).collect(),
        store: match view.facts(kind, namespace, &store.name).as_deref() {
            None => Store::Missing,
            Some(Value::Bool(false)) => Store::Down,
            Some(_) => Store::Fine,
        },
    })
}

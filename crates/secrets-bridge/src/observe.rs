//! The only reads: caches -> [`Observed`].

use std::collections::BTreeMap;

use idp_api::{
    SecretBinding,
    environment::{SecretDefaults, SecretsLimits},
    kinds::ENVIRONMENT,
};
use idp_runtime::{FactsError, ObjectKey, View};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    facts::{EventFacts, ExternalSecretFacts},
    kinds::{CLUSTER_SECRET_STORE, EVENT, EXTERNAL_SECRET, SECRET_STORE},
};

/// What a plan and a status depend on besides the binding.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Where secrets come from, and how often, of each Environment; there should be one. Or why it cannot be read.
    pub(crate) environments: Vec<Result<Option<(SecretDefaults, SecretsLimits)>, String>>,
    /// The `ExternalSecret`s that exist, by name.
    pub(crate) external_secrets: BTreeMap<String, ExternalSecretFacts>,
    /// What happened to them.
    pub(crate) events: Vec<EventFacts>,
    /// Whether the binding's store is there, and what is known of it.
    pub(crate) store: Store,
}

/// What is known of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Store {
    /// There is none of this name.
    Missing,
    /// It does not work.
    Down,
    /// It works, or has not been looked at.
    #[default]
    Fine,
}

/// How often secrets may come, beside where from.
#[derive(Deserialize)]
struct Bounds {
    limits: SecretsLimits,
}

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
    let unreadable = |key: ObjectKey, misread: FactsError| {
        format!(
            "Environment {} cannot be read: {}",
            key.name,
            misread.message_at("spec.secrets")
        )
    };
    // Twice the same facts: a path in them is that of the Environment.
    let secrets = view.read_all::<Option<SecretDefaults>>(ENVIRONMENT).into_iter();
    let bounds = view.read_all::<Option<Bounds>>(ENVIRONMENT).into_iter();
    let environments = secrets
        .zip(bounds)
        .map(|((key, secrets), (_, bounds))| match (secrets, bounds) {
            (Ok(secrets), Ok(bounds)) => Ok(secrets.zip(bounds.map(|bounds| bounds.limits))),
            (Err(misread), _) | (_, Err(misread)) => Err(unreadable(key, misread)),
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

pub(crate) fn parse<T: DeserializeOwned>(facts: &Value) -> Option<T> {
    T::deserialize(facts).ok()
}

//! The only reads: caches -> [`Observed`].

use std::collections::BTreeMap;

use idp_api::{SecretBinding, environment::SecretDefaults, kinds::ENVIRONMENT};
use idp_runtime::{ObjectKey, View};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    controller::SecretBindingController,
    facts::{EventFacts, ExternalSecretFacts},
    kinds::{CLUSTER_SECRET_STORE, EVENT, EXTERNAL_SECRET, SECRET_STORE},
};

/// What a plan and a status depend on besides the binding.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Where secrets come from, of each Environment; there should be one.
    pub(crate) environments: Vec<Option<SecretDefaults>>,
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

pub(crate) fn observe(binding: &SecretBinding, view: &View<SecretBindingController>) -> Observed {
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
    Observed {
        environments: view
            .all_facts(ENVIRONMENT)
            .into_iter()
            .map(|(_, facts)| parse(&facts))
            .collect(),
        external_secrets: view
            .facts_of(EXTERNAL_SECRET, binding)
            .into_iter()
            .filter_map(|(key, facts)| Some((key.name, parse(&facts)?)))
            .collect(),
        events: view
            .facts_about(EVENT, &key)
            .into_iter()
            .filter_map(|(_, facts)| parse(&facts))
            .collect(),
        store: match view.facts(kind, namespace, &store.name).as_deref() {
            None => Store::Missing,
            Some(Value::Bool(false)) => Store::Down,
            Some(_) => Store::Fine,
        },
    }
}

pub(crate) fn parse<T: DeserializeOwned>(facts: &Value) -> Option<T> {
    T::deserialize(facts).ok()
}

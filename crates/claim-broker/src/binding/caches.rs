//! The caches, read by what the phases and the capability need of them.

use std::{collections::BTreeMap, sync::Arc};

use idp_api::{ClaimBinding, ClaimClassSpec, kinds::CLAIM_CLASS};
use idp_runtime::{FactsError, ObjectKey, View};
use serde_json::Value;

use crate::{
    facts::{ClaimFacts, ResourceFacts, parse},
    kinds::{Kinds, NAMESPACE},
};

/// The caches of a controller of ClaimBindings, and the kinds of claims in them.
pub struct Caches<'a> {
    /// The kinds.
    pub kinds: &'a Kinds,
    /// The caches.
    pub view: &'a View<ClaimBinding>,
}

impl Caches<'_> {
    /// The class of this name.
    pub fn class(&self, name: &str) -> Option<Result<ClaimClassSpec, FactsError>> {
        self.view.read(CLAIM_CLASS, "", name)
    }

    /// Every class, by name.
    pub fn classes(&self) -> BTreeMap<String, Result<ClaimClassSpec, FactsError>> {
        let classes = self.view.read_all(CLAIM_CLASS).into_iter();
        classes.map(|(key, class)| (key.name, class)).collect()
    }

    /// Labels of a namespace.
    pub fn labels(&self, namespace: &str) -> BTreeMap<String, String> {
        let facts = self.view.facts(NAMESPACE, "", namespace);
        facts.and_then(|facts| parse(&facts)).unwrap_or_default()
    }

    /// The claim of a binding: the one with its name, of any kind.
    pub fn claim(&self, key: &ObjectKey) -> Option<ClaimFacts> {
        self.named(key).find_map(|facts| parse(&facts))
    }

    /// Every claim of a namespace.
    pub fn claims(&self, namespace: &str) -> impl Iterator<Item = ClaimFacts> {
        let kinds = self.kinds.claims.iter();
        kinds
            .flat_map(move |kind| self.view.facts_by(*kind, namespace))
            .filter_map(|(_, facts)| parse(&facts))
    }

    /// The composite resource of a binding's claim, and what it is composed of.
    pub fn resources(&self, key: &ObjectKey) -> Vec<ResourceFacts> {
        let found = self.kinds.read_only().map(|kind| self.view.about(kind, key));
        // These facts are the broker's own, so they always parse.
        let found = found.flat_map(Result::unwrap_or_default);
        let mut resources: Vec<ResourceFacts> = found.map(|(_, facts)| facts).collect();
        resources.sort_by(|one, other| (&one.kind, &one.name).cmp(&(&other.kind, &other.name)));
        resources
    }

    /// Bindings of a namespace; of all namespaces if it is empty.
    pub fn bindings(&self, namespace: &str) -> Vec<ObjectKey> {
        let bindings = if namespace.is_empty() {
            self.view.resources()
        } else {
            self.view.resources_in(namespace)
        };
        bindings
            .iter()
            .map(|binding| ObjectKey::of(binding.as_ref()))
            .collect()
    }

    /// Those of them without a claim: they may wait for room in a quota.
    pub fn bindings_without_claim(&self, namespace: &str) -> Vec<ObjectKey> {
        let mut bindings = self.bindings(namespace);
        bindings.retain(|key| self.named(key).next().is_none());
        bindings
    }

    fn named<'a>(&'a self, key: &'a ObjectKey) -> impl Iterator<Item = Arc<Value>> + 'a {
        let kinds = self.kinds.claims.iter();
        kinds.filter_map(move |kind| self.view.facts(*kind, &key.namespace, &key.name))
    }
}

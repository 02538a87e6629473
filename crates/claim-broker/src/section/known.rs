//! What a plan depends on besides the request.

use std::collections::{BTreeMap, BTreeSet};

use idp_api::{ClaimBindingSpec, ClaimClassSpec, claim_binding::ClaimPhase};

use crate::facts::ClaimFacts;

/// The classes, and the application's namespace.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The classes by name.
    pub classes: BTreeMap<String, ClaimClassSpec>,
    /// Classes that cannot be read, each with the error.
    pub unreadable: BTreeMap<String, String>,
    /// Labels of the namespace.
    pub labels: BTreeMap<String, String>,
    /// The bindings of the namespace by name.
    pub bindings: BTreeMap<String, KnownBinding>,
    /// The claims of the namespace by name, of all applications.
    pub claims: BTreeMap<String, ClaimFacts>,
}

/// A binding that exists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KnownBinding {
    /// Its spec.
    pub spec: ClaimBindingSpec,
    /// Its phase.
    pub phase: Option<ClaimPhase>,
}

impl Known {
    /// Names of all that count against the quota of `class`: claims, and bindings that will have one.
    pub fn counted(&self, class: &str) -> BTreeSet<&str> {
        let bindings = self.bindings.iter().filter(|(_, binding)| {
            binding.spec.class == class
                && !binding.spec.released
                && binding.phase != Some(ClaimPhase::Deleted)
        });
        let claims = self.claims.iter().filter(|(_, claim)| claim.class == class);
        bindings
            .map(|(name, _)| name.as_str())
            .chain(claims.map(|(name, _)| name.as_str()))
            .collect()
    }
}

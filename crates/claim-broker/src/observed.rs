//! What a plan depends on besides the binding itself.

use std::collections::BTreeMap;

use idp_api::ClaimClassSpec;
use idp_core::Kind;
use jiff::Timestamp;

use crate::facts::{ClaimFacts, ResourceFacts};

/// The facts that `validate` and `plan` work on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The class of the binding.
    pub class: Option<ClaimClassSpec>,
    /// Why the class cannot be read, where it is there and cannot.
    pub class_flaw: Option<String>,
    /// The kind that the class says, if it is watched.
    pub kind: Option<Kind>,
    /// Whether the cluster has that kind.
    pub served: bool,
    /// Labels of the namespace.
    pub labels: BTreeMap<String, String>,
    /// The claim of the binding's name, of whatever kind.
    pub claim: Option<ClaimFacts>,
    /// The kind of that claim, as the broker knows it.
    pub claim_kind: Option<Kind>,
    /// How many others of the class come before this one: claims that exist, and bindings that are older.
    pub before: usize,
    /// How many others of the class there are in all, those included that were asked for after this one.
    pub others: usize,
    /// The composite resource and what is composed.
    pub resources: Vec<ResourceFacts>,
    /// What somebody says in the binding's annotations.
    pub said: Annotations,
    /// When all this was seen.
    pub now: Timestamp,
}

/// What somebody says in a binding's annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// `idp.dev/delete-data`.
    pub delete: Option<String>,
    /// `idp.dev/recreate`.
    pub recreate: Option<String>,
}

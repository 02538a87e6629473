//! (class, `Observed`) -> `Validated`. Pure.

use idp_api::ClaimClass;
use idp_core::Action;

use super::observe::Observed;
use crate::retention::{self, policy};

/// What to do about the retained claims of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Validated {
    /// Marks and deletions of claims without a binding.
    pub(super) actions: Vec<Action>,
}

/// Decides about retained claims, also of a class that cannot be used: its deletion policy still applies.
pub fn validate(class: &ClaimClass, observed: &Observed) -> Validated {
    let orphans = observed.retained.iter().filter(|retained| retained.is_orphan);
    let actions = orphans.filter_map(|retained| {
        let claim = &retained.claim;
        let decision = policy::decide(&claim.claim, false, false, Some(&class.spec), observed.now);
        retention::plan(claim, &decision)
    });
    Validated {
        actions: actions.collect(),
    }
}

//! The phase of a claim, and the version of what pods read.

use idp_api::{ClaimBindingStatus, claim_binding::ClaimPhase};
use idp_core::{Problem, hash};

use super::Validated;
use crate::{facts::ClaimFacts, reasons};

/// The version that rolls pods: none until everything they read exists, and then the last complete one.
pub(super) fn version(
    previous: &ClaimBindingStatus,
    claim: Option<&ClaimFacts>,
    validated: Option<&Validated>,
    released: bool,
) -> Option<String> {
    let of = |claim: &ClaimFacts, published: &str| hash::text(&format!("{}/{published}", claim.uid));
    let same = |claim: &ClaimFacts| {
        previous
            .claim
            .as_ref()
            .is_some_and(|before| before.uid == claim.uid)
    };
    if released {
        // No pod reads it any more, and none must wait for it.
        return Some(previous.version.clone().unwrap_or_else(|| "released".to_owned()));
    }
    let Some(claim) = claim else {
        return previous.version.clone();
    };
    let kept = || {
        previous
            .version
            .clone()
            .filter(|version| same(claim) && version != "released")
    };
    let Some(validated) = validated else { return kept() };
    if validated.is_volume {
        return Some(of(claim, ""));
    }
    if !claim.state.is_ready() {
        return kept();
    }
    match (&claim.published, validated.has_secret) {
        (Some(published), _) => Some(of(claim, published)),
        (None, false) => Some(of(claim, "")),
        // A claim says when its Secret was published. A namespaced composite resource may not: then `Ready` must do.
        (None, true) if claim.composite.is_none() => Some(of(claim, "")),
        (None, true) => kept(),
    }
}

/// The phase.
pub(super) fn phase(
    claim: Option<&ClaimFacts>,
    released: bool,
    ready: bool,
    before: bool,
    rejected: &[Problem],
) -> ClaimPhase {
    match claim {
        None if released => ClaimPhase::Deleted,
        None if rejected
            .iter()
            .any(|problem| problem.reason == reasons::CLAIM_LOST) =>
        {
            ClaimPhase::Lost
        }
        None => ClaimPhase::Pending,
        Some(claim) if claim.deleting => ClaimPhase::Deleting,
        Some(_) if released => ClaimPhase::Released,
        Some(_) if ready => ClaimPhase::Ready,
        Some(claim) if before && claim.phase.is_none() => ClaimPhase::Failing,
        Some(_) => ClaimPhase::Creating,
    }
}

//! How far a claim is, and the version of what pods read.

use idp_api::{ClaimBindingStatus, claim_binding::ClaimPhase};
use idp_core::{Problem, hash};

use crate::{facts::ClaimFacts, reason, validate::Validated};

/// What pods are rolled by: nothing until all is there, and then what it was until something new is there.
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
        // Nobody reads it any more, and nobody must wait for it.
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
        // A claim of Crossplane 1 says when its Secret was published. A composite resource need not: then being ready is
        // all that there is to know.
        (None, true) if claim.composite.is_none() => Some(of(claim, "")),
        (None, true) => kept(),
    }
}

/// How far it is.
pub(super) fn phase(
    claim: Option<&ClaimFacts>,
    released: bool,
    ready: bool,
    before: bool,
    refused: &[Problem],
) -> ClaimPhase {
    match claim {
        None if released => ClaimPhase::Deleted,
        None if refused.iter().any(|problem| problem.reason == reason::CLAIM_LOST) => ClaimPhase::Lost,
        None => ClaimPhase::Pending,
        Some(claim) if claim.deleting => ClaimPhase::Deleting,
        Some(_) if released => ClaimPhase::Released,
        Some(_) if ready => ClaimPhase::Ready,
        Some(claim) if before && claim.phase.is_none() => ClaimPhase::Failing,
        Some(_) => ClaimPhase::Creating,
    }
}

//! Whether a claim that does not exist yet may be created.

use idp_api::{ClaimBinding, claim_binding::ClaimPhase};
use idp_core::Problem;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use crate::{annotations, binding::observe::Observed, reasons, rules};

/// After this time no older binding can appear: creation times are in whole seconds.
const SETTLED: SignedDuration = SignedDuration::from_secs(2);

/// Checks that the claim was not lost, that the namespace may use the class, and that its quota has room.
pub(super) fn check(binding: &ClaimBinding, observed: &Observed) -> Result<(), Problem> {
    lost(binding, observed)?;
    admission(binding, observed)
}

/// A claim that existed and was deleted by someone else: a new one would be empty, and look like the old one.
fn lost(binding: &ClaimBinding, observed: &Observed) -> Result<(), Problem> {
    let name = binding.name_any();
    let Some(status) = &binding.status else {
        return Ok(());
    };
    let Some(claim) = status
        .claim
        .as_ref()
        .filter(|_| status.phase != Some(ClaimPhase::Deleted))
    else {
        return Ok(());
    };
    if observed.requests.recreate.as_ref() == Some(&claim.uid) {
        return Ok(());
    }
    Err(Problem::error(
        reasons::CLAIM_LOST,
        format!(
            "{} {name} was deleted by someone else. A new one would be empty, so it is not created automatically.",
            claim.kind
        ),
    )
    .hint(format!(
        "Restore it, or create an empty one: `kubectl -n {} annotate --overwrite claimbinding {name} {}={}`.",
        binding.namespace().unwrap_or_default(),
        annotations::RECREATE,
        claim.uid
    )))
}

/// Whether a claim that does not exist yet may be created.
fn admission(binding: &ClaimBinding, observed: &Observed) -> Result<(), Problem> {
    let (Some(class), name) = (&observed.class, &binding.spec.class) else {
        return Ok(());
    };
    let namespace = binding.namespace().unwrap_or_default();
    rules::namespace(name, class, &namespace, &observed.labels)?;
    let quota = class.per_namespace() as usize;
    if observed.before >= quota {
        return Err(rules::quota_exceeded(name, quota, observed.before));
    }
    if observed.others >= quota && is_young(binding, observed.now) {
        // The order is certain only when no older binding can appear any more.
        return Err(Problem::warning(
            reasons::QUOTA_UNDECIDED,
            format!(
                "Several bindings of ClaimClass {name} were created together, and the quota has no room for all."
            ),
        ));
    }
    Ok(())
}

fn is_young(binding: &ClaimBinding, now: Timestamp) -> bool {
    let created = binding.creation_timestamp().map(|time| time.0);
    created.is_none_or(|created| now.duration_since(created) < SETTLED)
}

//! Why data are retained or deleted, in words.

use idp_api::claim_binding::Tombstone;

use crate::facts::ClaimFacts;

/// For the log: what the annotations mean.
pub(super) fn retained(claim: &ClaimFacts, tombstone: &Tombstone) -> String {
    let until = &tombstone.until;
    if tombstone.delete {
        format!(
            "no application uses the claim; its data will be deleted after {until}: {}",
            deletion_cause(claim, tombstone)
        )
    } else {
        format!("no application uses the claim; its data are retained, at least until {until}")
    }
}

/// For the log: why the data were deleted.
pub(super) fn deleted(claim: &ClaimFacts) -> String {
    let tombstone = claim.tombstone.clone().unwrap_or_default();
    format!("the grace period is over; {}", deletion_cause(claim, &tombstone))
}

/// Who decided that the data are deleted.
pub fn deletion_cause(claim: &ClaimFacts, tombstone: &Tombstone) -> String {
    if tombstone.by_class {
        by_class(&claim.class)
    } else {
        "the deletion was requested".to_owned()
    }
}

/// That the class decided it.
pub fn by_class(class: &str) -> String {
    format!("its class {class} has deletionPolicy: Delete")
}

//! A claim with its place in the cluster.

use idp_core::Kind;

use crate::facts::ClaimFacts;

/// A claim that exists.
#[derive(Clone, Debug, PartialEq)]
pub struct RetainedClaim {
    /// Its namespace.
    pub namespace: String,
    /// Its kind.
    pub kind: Kind,
    /// Its facts; `tombstone` is set if no application uses it.
    pub claim: ClaimFacts,
}

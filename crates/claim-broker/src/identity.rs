//! What the broker is called.

/// Name of the process: its field manager, its Lease, and the `controller` label of its metrics.
pub const NAME: &str = "idp-claim-broker";
/// Name of the capability.
pub(crate) const CAPABILITY: &str = "claims";
/// Field manager of `idp-cli data`, which asks for a deletion on the claim itself.
pub(crate) const CLI_MANAGER: &str = "idp-cli-data";

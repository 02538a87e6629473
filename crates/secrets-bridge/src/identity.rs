//! What the secrets bridge is called.

/// Name of the process: its field manager, its Lease, and the `controller` label of its metrics.
pub const NAME: &str = "idp-secrets-bridge";
/// Name of the capability.
pub(crate) const CAPABILITY: &str = "secrets";

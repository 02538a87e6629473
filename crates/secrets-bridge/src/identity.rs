//! The names of the secrets bridge.

/// The process's name: its field manager, its Lease, and the `controller` label of its metrics.
pub const NAME: &str = "idp-secrets-bridge";
/// Name of the capability.
pub(crate) const CAPABILITY: &str = "secrets";

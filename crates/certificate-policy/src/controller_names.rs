//! Names of the controllers: field manager, Lease and label of metrics. They never change.

/// The process and the controller of bindings.
pub const NAME: &str = "idp-certificate-policy";
/// The controller of policies.
pub(crate) const AUDIT: &str = "idp-certificate-audit";
/// The controller of certificate requests.
pub(crate) const APPROVER: &str = "idp-certificate-approver";
/// The controller of `AllowedHosts`.
pub(crate) const ADMISSION: &str = "idp-certificate-admission";

//! Offsets in the cluster's block of ports. The control plane uses those below.

pub(super) const EXTERNAL_SECRETS_HEALTH: u16 = 6;
pub(super) const EXTERNAL_SECRETS_METRICS: u16 = 7;
pub(super) const LOCALSTACK: u16 = 8;
pub(super) const CERT_MANAGER: u16 = 9;
pub(super) const CROSSPLANE_HEALTH: u16 = 10;
pub(super) const CROSSPLANE_METRICS: u16 = 11;
pub(super) const FUNCTION: u16 = 12;

//! The embedded cluster: folder, addresses, certificates, control plane and nodes.

pub(crate) mod addresses;
pub(crate) mod certs;
pub(crate) mod control_plane;
pub(crate) mod kubeconfig;
pub(crate) mod kwok;
pub(crate) mod node;
pub(crate) mod start;
pub(crate) mod state;

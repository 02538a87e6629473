//! Manifests: reading them, and applying them to a cluster.

pub(crate) mod apply;

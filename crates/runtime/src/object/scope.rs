//! Where the objects of a reconciled kind live.

use kube::core::{ClusterResourceScope, NamespaceResourceScope};

/// The two scopes of kube as a value.
pub trait Scoped {
    /// Whether objects live in a namespace.
    const NAMESPACED: bool;
}

impl Scoped for NamespaceResourceScope {
    const NAMESPACED: bool = true;
}

impl Scoped for ClusterResourceScope {
    const NAMESPACED: bool = false;
}

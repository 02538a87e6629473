//! The resource whose children are applied.

use idp_core::ObjectKey;
use kube::ResourceExt;

/// The resource whose children are applied.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    pub(crate) key: ObjectKey,
    pub(crate) uid: String,
    /// Namespaces besides its own in which its children are planned.
    pub(crate) elsewhere: Vec<String>,
}

impl Parent {
    pub(crate) fn new(resource: &impl ResourceExt, elsewhere: Vec<String>) -> Self {
        Self {
            key: ObjectKey::of(resource),
            uid: resource.uid().unwrap_or_default(),
            elsewhere,
        }
    }

    /// Whether its children may be in this namespace. Those of a cluster-scoped resource may be anywhere.
    pub(crate) fn plans_in(&self, namespace: &str) -> bool {
        self.key.namespace.is_empty()
            || self.key.namespace == namespace
            || self.elsewhere.iter().any(|other| other == namespace)
    }

    /// Whether an owner reference cannot reach from an object of this namespace: a namespaced owner owns only there.
    pub(crate) fn cannot_own(&self, namespace: Option<&str>) -> bool {
        !self.key.namespace.is_empty() && namespace != Some(&self.key.namespace)
    }
}

//! Resource versions as numbers.

use kube::core::ObjectMeta;

/// `metadata.resourceVersion` as the number that it is; 0 when absent.
pub(crate) fn resource_version(object: &impl kube::ResourceExt) -> u64 {
    version_of(object.meta())
}

/// The same of metadata alone.
pub(crate) fn version_of(metadata: &ObjectMeta) -> u64 {
    let version = metadata.resource_version.as_deref();
    version
        .and_then(|version| version.parse().ok())
        .unwrap_or_default()
}

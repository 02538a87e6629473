//! The kinds of External Secrets.

use idp_core::Kind;

/// `ExternalSecret`.
pub(crate) const EXTERNAL_SECRET: Kind =
    Kind::namespaced("external-secrets.io", "v1", "ExternalSecret", "externalsecrets");
/// `ClusterSecretStore`.
pub(crate) const CLUSTER_SECRET_STORE: Kind = Kind::cluster(
    "external-secrets.io",
    "v1",
    "ClusterSecretStore",
    "clustersecretstores",
);
/// `SecretStore`.
pub(crate) const SECRET_STORE: Kind =
    Kind::namespaced("external-secrets.io", "v1", "SecretStore", "secretstores");
/// Generator of random values.
pub(crate) const PASSWORD: Kind = Kind::namespaced(
    "generators.external-secrets.io",
    "v1alpha1",
    "Password",
    "passwords",
);
/// Core `Event`.
pub(crate) const EVENT: Kind = Kind::namespaced("", "v1", "Event", "events");

//! Versions repeated from the `go.mod` files. Tests check that they are equal.

/// The Kubernetes release that `infrastructure/embedded/kubernetes/go.mod` requires.
pub(crate) const KUBERNETES: &str = "1.36.3";

/// The release of External Secrets that `infrastructure/embedded/external-secrets/go.mod` requires.
pub(crate) const EXTERNAL_SECRETS_VERSION: &str = "v0.20.4";

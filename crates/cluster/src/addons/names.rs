//! Names that several add-ons use.

/// The component LocalStack.
pub(super) const LOCALSTACK: &str = "localstack";

/// The namespace of the External Secrets Operator and its credentials.
pub(super) const EXTERNAL_SECRETS_NAMESPACE: &str = "external-secrets";

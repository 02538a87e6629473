//! Names that several add-ons need to know.

/// The component LocalStack.
pub(super) const LOCALSTACK: &str = "localstack";

/// Where the External Secrets Operator runs, and finds its credentials.
pub(super) const EXTERNAL_SECRETS_NAMESPACE: &str = "external-secrets";

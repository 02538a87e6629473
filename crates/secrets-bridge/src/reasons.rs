//! Reasons of the secrets bridge's problems.

pub use idp_core::reason::shared::{
    DUPLICATE, ENVIRONMENT_UNREADABLE, INVALID_SPEC, LIMIT_EXCEEDED, NAME_TAKEN, VARIABLE_CONFLICT,
};

idp_core::reasons! {
    NO_SECRET_STORE = "NoSecretStore",
        "The Environment has no secret store, or the cluster does not have exactly one Environment.",
        "Ask the platform team to set secrets.store in the cluster's one Environment.";
    INVALID_ENVIRONMENT = "InvalidEnvironment",
        "The Environment's template for remote keys cannot be used.",
        "Ask the platform team to fix secrets.prefix of the Environment, for example to {namespace}/{application}/.";
    INVALID_REMOTE_KEY = "InvalidRemoteKey",
        "The remote key is not a plain path below the application's own prefix.",
        "Write a key such as database or payment/api-key, relative to the application's prefix.";
    TEMPLATE_INVALID = "TemplateInvalid",
        "A template has syntax that is not allowed, or does not work with the properties of its secret.",
        "Write text, {{ .property }} and {{ .property | FUNCTION }}. `kubectl describe externalsecret` shows details.";
    TEMPLATE_FUNCTION_NOT_ALLOWED = "TemplateFunctionNotAllowed",
        "A template calls a function that templates may not call.",
        "Use an allowed function, or let the application compose the value.";
    REMOTE_KEY_MISSING = "RemoteKeyMissing",
        "The secret store has no secret with this key.",
        "Create the secret in the store, or correct remoteKey.";
    REMOTE_PROPERTY_MISSING = "RemotePropertyMissing",
        "The secret in the store has no property with this name.",
        "Add the property to the secret in the store, or correct the name in keys or template.";
    REMOTE_SECRET_NOT_JSON = "RemoteSecretNotJson",
        "The secret in the store is not a JSON object, so it has no properties.",
        "Store a JSON object such as {\"password\": \"…\"}.";
    STORE_NOT_ALLOWED = "StoreNotAllowed",
        "The binding names another store than the Environment, or the store does not serve this namespace.",
        "Ask the platform team to select the namespace in spec.conditions of the store.";
    STORE_MISSING = "StoreMissing",
        "The secret store that the Environment names does not exist.",
        "Ask the platform team to create the store, or to correct secrets.store in the Environment.";
    STORE_DOWN = "StoreDown",
        "The secret store is unreachable, or not ready.",
        "Retrying automatically. If this persists, ask the platform team to check the store.";
    STORE_ACCESS_DENIED = "StoreAccessDenied",
        "The secret store denies access to the key.",
        "Ask the platform team to fix the permissions of the store's identity.";
    SECRET_SYNC_FAILED = "SecretSyncFailed",
        "External Secrets cannot synchronize the secret, for a reason that has no name here.",
        "Run `kubectl describe externalsecret` for details.";
}

//! Why External Secrets could not synchronize an `ExternalSecret`, in words for the application's developer. Pure.
//!
//! Its messages come from many places and contain request IDs, so they would change a status at every attempt. They are
//! reduced to a cause that stays the same as long as the failure does.

use idp_api::secret_binding::{BoundSecret, StoreRef};
use idp_core::{Problem, Severity};
use serde::{Deserialize, Serialize};

use crate::reasons;

/// Longest message of a cause that has no name here, in characters.
const MAX_MESSAGE_CHARS: usize = 200;

/// The admission policy that lets External Secrets change only its own Secrets: `platform/admission/secrets.yaml`.
const OWNERSHIP_POLICY: &str = "idp-secrets-of-others";

/// The cause of a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Cause {
    /// The store has no such key.
    KeyMissing,
    /// The key has no such property.
    PropertyMissing(String),
    /// The key's value is not a JSON object, so it has no properties.
    NoProperties,
    /// The store does not serve this namespace.
    StoreNotAllowed,
    /// The store does not exist.
    StoreMissing,
    /// The store is unreachable, or not ready.
    StoreDown,
    /// The store denies access.
    AccessDenied,
    /// A Secret with the target's name exists and belongs to someone else.
    TargetTaken,
    /// A template does not work.
    TemplateInvalid,
    /// Anything else, with External Secrets' message.
    Other(String),
}

/// The cause that a message of External Secrets describes.
pub(crate) fn cause(message: &str) -> Cause {
    let text = message.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    // First, because the rest of the message quotes the template and the values.
    if has(&["apply template", "execute template", "parse template"]) {
        Cause::TemplateInvalid
    } else if has(&[OWNERSHIP_POLICY]) {
        Cause::TargetTaken
    } else if has(&[
        "secret does not exist",
        "resourcenotfoundexception",
        "nosecreterror",
    ]) {
        Cause::KeyMissing
    } else if has(&["unable to unmarshal secret"]) {
        // The rest of the message quotes the value.
        Cause::NoProperties
    } else if let Some(property) = missing_property(message) {
        Cause::PropertyMissing(property)
    } else if has(&["is not allowed from namespace", "using cluster store"]) {
        Cause::StoreNotAllowed
    } else if has(&[
        "secretstore.external-secrets.io",
        "clustersecretstore.external-secrets.io",
    ]) && has(&["not found"])
        || has(&[
            "secretstore \"",
            "could not get secretstore",
            "could not get clustersecretstore",
        ]) && has(&["not found"])
    {
        Cause::StoreMissing
    } else if has(&[
        "accessdenied",
        "access denied",
        "unauthorized",
        "unrecognizedclient",
        "invalidclienttokenid",
    ]) {
        Cause::AccessDenied
    } else if has(&[
        "connection refused",
        "connection reset",
        "no such host",
        "i/o timeout",
        "deadline exceeded",
        "request send failed",
        "is not ready",
        "could not get provider client",
        "exceeded maximum number of attempts",
        "eof",
    ]) {
        Cause::StoreDown
    } else if has(&[
        "target is owned by",
        "already owned",
        "is not owned",
        "already exists",
    ]) {
        Cause::TargetTaken
    } else {
        Cause::Other(stable(message))
    }
}

/// `key NAME does not exist in secret …`, as the AWS provider reports it.
fn missing_property(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("key ")?;
    let (name, rest) = rest.split_once(" does not exist in secret")?;
    // The first `key` may be in brackets, and name the reference itself.
    let name = name.rsplit("key ").next().unwrap_or(name);
    let _ = rest;
    (!name.is_empty()).then(|| name.to_owned())
}

/// A message without parts that differ from attempt to attempt.
fn stable(message: &str) -> String {
    let kept: Vec<&str> = message
        .split(", ")
        .filter(|part| {
            let part = part.to_lowercase();
            !part.contains("requestid") && !part.contains("request id")
        })
        .collect();
    kept.join(", ").chars().take(MAX_MESSAGE_CHARS).collect()
}

/// The problem of a secret that cannot be synchronized. `serves`: its Secret exists with an earlier value.
pub(crate) fn problem(secret: &BoundSecret, store: &StoreRef, cause: &Cause, serves: bool) -> Problem {
    let key = secret.remote_key.as_deref().unwrap_or("(generated)");
    let store_name = format!("{} {}", store.kind, store.name);
    let (reason, field, message, hint) = match cause {
        Cause::KeyMissing => (
            reasons::REMOTE_KEY_MISSING,
            "remoteKey",
            format!("{store_name} has no secret {key}."),
            Some(format!("Create {key} in the store, or correct remoteKey.")),
        ),
        Cause::PropertyMissing(property) => (
            reasons::REMOTE_PROPERTY_MISSING,
            "keys",
            format!("The secret {key} of {store_name} has no property {property}."),
            Some(format!(
                "Add {property} to {key} in the store, or remove it from keys."
            )),
        ),
        Cause::NoProperties => (
            reasons::REMOTE_SECRET_NOT_JSON,
            "",
            format!("The secret {key} of {store_name} is not a JSON object, so it has no properties."),
            Some(format!(
                r#"Store a JSON object such as {{"password": "…"}} as {key}."#
            )),
        ),
        Cause::StoreNotAllowed => (
            reasons::STORE_NOT_ALLOWED,
            "",
            format!("{store_name} does not serve this namespace, so {key} cannot be read."),
            None,
        ),
        Cause::StoreMissing => (
            reasons::STORE_MISSING,
            "",
            format!("{store_name} does not exist, so {key} cannot be read."),
            None,
        ),
        Cause::StoreDown => (
            reasons::STORE_DOWN,
            "",
            format!("{store_name} is unreachable, so {key} cannot be read."),
            None,
        ),
        Cause::AccessDenied => (
            reasons::STORE_ACCESS_DENIED,
            "",
            format!("{store_name} denies access to {key}."),
            None,
        ),
        Cause::TargetTaken => (
            reasons::NAME_TAKEN,
            "name",
            format!(
                "The Secret {} exists and is not this application's. It was not changed.",
                secret.target
            ),
            Some(format!(
                "Rename the secret here, or delete the other one if it is unused: `kubectl delete secret {}`.",
                secret.target
            )),
        ),
        Cause::TemplateInvalid => (
            reasons::TEMPLATE_INVALID,
            "template",
            format!(
                "The template of secret {} does not work with the properties of {key}.",
                secret.name
            ),
            Some(
                "Name properties of the secret, such as {{ .password }}. `kubectl describe externalsecret` shows details."
                    .to_owned(),
            ),
        ),
        Cause::Other(message) => (
            reasons::SECRET_SYNC_FAILED,
            "",
            format!("{key} of {store_name} cannot be read: {message}."),
            None,
        ),
    };
    let mut problem = if serves {
        Problem::warning(reason, format!("{message} The last value stays in use."))
    } else {
        Problem::error(reason, message)
    };
    problem.path = Some(if field.is_empty() {
        secret.path.clone()
    } else {
        format!("{}.{field}", secret.path)
    });
    debug_assert!(serves == (problem.severity == Severity::Warning));
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_external_secrets() {
        for (message, expected) in [
            (
                "error processing spec.data[0] (key: team-a/shop/db), err: Secret does not exist",
                Cause::KeyMissing,
            ),
            (
                "error processing spec.data[0] (key: team-a/shop/db), err: key pw does not exist in secret team-a/shop/db",
                Cause::PropertyMissing("pw".into()),
            ),
            (
                "could not update secret \"x\": secrets \"x\" is forbidden: ValidatingAdmissionPolicy 'idp-secrets-of-others' with binding 'idp-secrets-of-others' denied request: Secret x was not made by external-secrets",
                Cause::TargetTaken,
            ),
            (
                "could not apply template: could not execute template: unable to parse template at key X: template: X:1: unexpected EOF",
                Cause::TemplateInvalid,
            ),
            (
                "error processing spec.dataFrom[0].extract, err: unable to unmarshal secret team-a/shop/db: invalid character 's' looking for beginning of value",
                Cause::NoProperties,
            ),
            (
                "error processing spec.dataFrom[0].extract, err: using cluster store \"aws\" is not allowed from namespace \"x\": denied by spec.condition",
                Cause::StoreNotAllowed,
            ),
            (
                "error processing spec.data[0] (key: a), err: could not get ClusterSecretStore \"aws\", ClusterSecretStore.external-secrets.io \"aws\" not found",
                Cause::StoreMissing,
            ),
            (
                "error processing spec.data[0] (key: a), err: operation error Secrets Manager: GetSecretValue, https response error StatusCode: 0, RequestID: , request send failed, Post \"http://x\": dial tcp: connection refused",
                Cause::StoreDown,
            ),
        ] {
            assert_eq!(cause(message), expected, "{message}");
        }
    }

    #[test]
    fn request_ids_do_not_change_the_cause() {
        let message =
            |id: &str| format!("operation error, StatusCode: 500, RequestID: {id}, api error X: broken");
        assert_eq!(cause(&message("1-2")), cause(&message("3-4")));
    }

    #[test]
    fn an_earlier_value_makes_it_a_warning() {
        let secret = BoundSecret {
            path: "spec.secrets[0]".into(),
            remote_key: Some("team-a/shop/db".into()),
            ..BoundSecret::default()
        };
        let store = StoreRef {
            name: "aws".into(),
            kind: "ClusterSecretStore".into(),
        };
        let warning = problem(&secret, &store, &Cause::KeyMissing, true);
        assert!(!warning.is_error() && warning.message.contains("team-a/shop/db"));
        assert!(problem(&secret, &store, &Cause::KeyMissing, false).is_error());
        assert_eq!(warning.path.as_deref(), Some("spec.secrets[0].remoteKey"));
    }
}

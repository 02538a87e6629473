//! Why External Secrets could not carry out an `ExternalSecret`, in words for the application's developer. Pure.
//!
//! Its messages come from many places and hold numbers of requests: kept as they are, they would change a status at
//! every attempt. They are reduced to a cause that stays the same as long as the trouble does.

use idp_api::secret_binding::{BoundSecret, StoreRef};
use idp_core::{Problem, Severity};
use serde::{Deserialize, Serialize};

/// Longest text of a cause that has no name here.
const LONGEST: usize = 200;

/// The policy that refuses External Secrets a Secret of somebody else's: `platform/admission/secrets.yaml`.
const TAKEN: &str = "idp-secrets-of-others";

/// The cause of a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Cause {
    /// The store has no such key.
    KeyMissing,
    /// The key has no such property.
    PropertyMissing(String),
    /// The key holds something else than properties, and all of them are wanted, or one.
    NoProperties,
    /// The store does not serve this namespace.
    StoreNotAllowed,
    /// There is no such store.
    StoreMissing,
    /// The store does not answer, or is not ready.
    StoreDown,
    /// The store answers, and says no.
    AccessDenied,
    /// A Secret of the target's name is there and is somebody else's.
    TargetTaken,
    /// A template does not work.
    TemplateInvalid,
    /// Anything else, in External Secrets' words.
    Other(String),
}

/// The cause that a message of External Secrets tells.
pub(crate) fn cause(message: &str) -> Cause {
    let text = message.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    // First, as what follows quotes the template and the values.
    if has(&["apply template", "execute template", "parse template"]) {
        Cause::TemplateInvalid
    } else if has(&[TAKEN]) {
        Cause::TargetTaken
    } else if has(&[
        "secret does not exist",
        "resourcenotfoundexception",
        "nosecreterror",
    ]) {
        Cause::KeyMissing
    } else if has(&["unable to unmarshal secret"]) {
        // What follows quotes the value.
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

/// `key NAME does not exist in secret …`, as the AWS provider says it.
fn missing_property(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("key ")?;
    let (name, rest) = rest.split_once(" does not exist in secret")?;
    // The first `key` may be that of the reference itself, in brackets.
    let name = name.rsplit("key ").next().unwrap_or(name);
    let _ = rest;
    (!name.is_empty()).then(|| name.to_owned())
}

/// A message without what differs from attempt to attempt.
fn stable(message: &str) -> String {
    let kept: Vec<&str> = message
        .split(", ")
        .filter(|part| {
            let part = part.to_lowercase();
            !part.contains("requestid") && !part.contains("request id")
        })
        .collect();
    kept.join(", ").chars().take(LONGEST).collect()
}

/// What a failed secret is reported as. `serves`: its Secret is there, from before.
pub(crate) fn problem(secret: &BoundSecret, store: &StoreRef, cause: &Cause, serves: bool) -> Problem {
    let key = secret.remote_key.as_deref().unwrap_or("(generated)");
    let store_name = format!("{} {}", store.kind, store.name);
    let (reason, field, message, hint) = match cause {
        Cause::KeyMissing => (
            "RemoteKeyMissing",
            "remoteKey",
            format!("{store_name} has no secret {key}"),
            format!("create {key} in the store, or correct the key"),
        ),
        Cause::PropertyMissing(property) => (
            "RemotePropertyMissing",
            "keys",
            format!("secret {key} of {store_name} has no property {property}"),
            format!("add {property} to {key}, or take it out of keys"),
        ),
        Cause::NoProperties => (
            "RemoteSecretNotJson",
            "",
            format!("secret {key} of {store_name} holds no properties: it is no JSON object"),
            format!(r#"store an object such as {{"password": "…"}} under {key}"#),
        ),
        Cause::StoreNotAllowed => (
            "StoreNotAllowed",
            "",
            format!("{store_name} does not serve this namespace, so {key} cannot be read"),
            "the platform team lets the namespace in, by the conditions of the store".to_owned(),
        ),
        Cause::StoreMissing => (
            "StoreMissing",
            "",
            format!("there is no {store_name}, so {key} cannot be read"),
            "the platform team creates the store that the Environment names".to_owned(),
        ),
        Cause::StoreDown => (
            "StoreDown",
            "",
            format!("{store_name} does not answer, so {key} cannot be read"),
            "nothing is to be done here: it is tried again; the platform team looks at the store".to_owned(),
        ),
        Cause::AccessDenied => (
            "StoreAccessDenied",
            "",
            format!("{store_name} may not read {key}"),
            "the platform team corrects the rights of the store's identity".to_owned(),
        ),
        Cause::TargetTaken => (
            "NameTaken",
            "name",
            format!(
                "Secret {} is there already and is not ours: it stays as it is",
                secret.target
            ),
            format!(
                "give the secret another name here, or delete that Secret if nobody needs it: kubectl delete secret {}",
                secret.target
            ),
        ),
        Cause::TemplateInvalid => (
            "TemplateInvalid",
            "template",
            format!(
                "the template of secret {} does not work with the properties of {key}",
                secret.name
            ),
            "a template names properties like {{ .password }}; kubectl describe externalsecret says more"
                .to_owned(),
        ),
        Cause::Other(message) => (
            "SecretSyncFailed",
            "",
            format!("{key} of {store_name} cannot be read: {message}"),
            "kubectl describe externalsecret says more".to_owned(),
        ),
    };
    let mut problem = if serves {
        Problem::warning(reason, format!("{message}; the last value stays"))
    } else {
        Problem::error(reason, message)
    };
    problem.path = Some(if field.is_empty() {
        secret.path.clone()
    } else {
        format!("{}.{field}", secret.path)
    });
    debug_assert!(serves == (problem.severity == Severity::Warning));
    problem.hint(hint)
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
    fn numbers_of_requests_do_not_make_another_cause() {
        let message =
            |id: &str| format!("operation error, StatusCode: 500, RequestID: {id}, api error X: broken");
        assert_eq!(cause(&message("1-2")), cause(&message("3-4")));
    }

    #[test]
    fn what_was_there_stays_and_is_a_warning() {
        let secret = BoundSecret {
            path: "spec.secrets[0]".into(),
            remote_key: Some("team-a/shop/db".into()),
            ..BoundSecret::default()
        };
        let store = StoreRef {
            name: "aws".into(),
            kind: "ClusterSecretStore".into(),
        };
        let there = problem(&secret, &store, &Cause::KeyMissing, true);
        assert!(!there.is_error() && there.message.contains("team-a/shop/db"));
        assert!(problem(&secret, &store, &Cause::KeyMissing, false).is_error());
        assert_eq!(there.path.as_deref(), Some("spec.secrets[0].remoteKey"));
    }
}

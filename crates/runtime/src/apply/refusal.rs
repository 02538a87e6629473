//! What a rejected request means, in words for the author of the resource.

use idp_core::{Kind, ObjectKey, Problem};
use kube::core::Status;

use crate::{client::request::ApiError, object::parent::Parent, reasons};

/// What to do about a failed write.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Stop without a problem: the namespace is being deleted or gone, and the resource with it.
    NamespaceGone,
    /// Retry with back-off.
    Transient(Problem),
    /// Only a change helps, of an object that is not watched: poll.
    Unwatched(Problem),
    /// Only a change helps; retried at the slow end of the back-off.
    Lasting(Problem),
}

impl Refusal {
    /// Interprets the response to an attempt to write `kind` `key`.
    pub(crate) fn of(kind: Kind, key: &ObjectKey, error: &ApiError) -> Self {
        let what = format!("{kind} {}", key.name);
        match error {
            ApiError::Unreachable(message) => unavailable(&what, message),
            ApiError::Refused(status) => Self::of_status(kind, key, status, &what),
        }
    }

    /// The same for an object outside its owner's namespace: a missing namespace there does not mean that the owner is
    /// being deleted.
    pub(crate) fn elsewhere(self, parent: &Parent, key: &ObjectKey) -> Self {
        if !matches!(self, Self::NamespaceGone) || key.namespace == parent.key.namespace {
            return self;
        }
        let message = format!("Namespace {} does not exist, or is being deleted.", key.namespace);
        Self::Unwatched(Problem::error(reasons::NAMESPACE_MISSING, message))
    }

    fn of_status(kind: Kind, key: &ObjectKey, status: &Status, what: &str) -> Self {
        let message = &status.message;
        match status.code {
            403 if has_cause(status, "NamespaceTerminating")
                || message.contains("because it is being terminated") =>
            {
                Self::NamespaceGone
            }
            404 if is_about_namespace(status, key) => Self::NamespaceGone,
            403 if message.contains("exceeded quota") => Self::Lasting(Problem::error(
                reasons::QUOTA_EXCEEDED,
                format!("{what} exceeds the namespace's quota: {message}"),
            )),
            401 | 403 => Self::Lasting(Problem::error(
                reasons::FORBIDDEN,
                format!("The API server denied the write of {what}: {message}"),
            )),
            404 => Self::Lasting(not_served(kind)),
            // Replaced by another object of the same name; its events trigger what follows.
            422 if message.contains("metadata.uid") => Self::Transient(Problem::error(
                reasons::CONFLICT,
                format!("{what} was replaced while it was being written."),
            )),
            // A field that the schema lacks, or one of the wrong type: our mistake or the input's, though the API
            // server returns 500.
            500 if message.contains("typed patch object") => Self::Lasting(
                Problem::error(reasons::INVALID, rejected(what, message))
                    .hint("The installed version of this kind does not have the field."),
            ),
            409 => Self::Transient(Problem::error(
                reasons::CONFLICT,
                format!("{what} changed while it was being written: {message}"),
            )),
            400 | 405 | 413 | 415 | 422 => Self::Lasting(invalid(kind, key, status, what)),
            _ => unavailable(what, message),
        }
    }
}

fn unavailable(what: &str, message: &str) -> Refusal {
    let message = format!("Cannot write {what}: {message}");
    Refusal::Transient(Problem::error(reasons::API_UNAVAILABLE, message))
}

fn rejected(what: &str, message: &str) -> String {
    format!("The API server rejected {what}: {message}")
}

fn invalid(kind: Kind, key: &ObjectKey, status: &Status, what: &str) -> Problem {
    let problem = Problem::error(reasons::INVALID, rejected(what, details(status)));
    if !status.message.contains("immutable") {
        return problem;
    }
    problem.hint(format!(
        "This needs a change of an immutable field. `kubectl -n {} delete {} {}` deletes the object, and the controller \
         creates it again.",
        key.namespace, kind.plural, key.name
    ))
}

/// The problem of a kind whose CRD is not installed.
pub(crate) fn not_served(kind: Kind) -> Problem {
    let message = format!("The cluster has no kind {kind} ({}).", kind.api_version());
    Problem::error(reasons::KIND_NOT_SERVED, message).hint(format!(
        "Install the operator that provides the CRD {}.{}. The controller notices within half a minute.",
        kind.plural, kind.group
    ))
}

/// An object that was to be changed does not exist any more. Its deletion is an event, which triggers what follows.
pub(crate) fn deleted_meanwhile(kind: Kind, key: &ObjectKey) -> Refusal {
    let message = format!("{kind} {} was deleted while it was being written.", key.name);
    Refusal::Transient(Problem::error(reasons::CONFLICT, message))
}

fn has_cause(status: &Status, reason: &str) -> bool {
    status
        .details
        .iter()
        .flat_map(|details| &details.causes)
        .any(|cause| cause.reason == reason)
}

fn is_about_namespace(status: &Status, key: &ObjectKey) -> bool {
    status
        .details
        .as_ref()
        .is_some_and(|details| details.kind == "namespaces" && details.name == key.namespace)
}

/// The API server's message; it names every field already.
fn details(status: &Status) -> &str {
    if status.message.is_empty() {
        &status.reason
    } else {
        &status.message
    }
}

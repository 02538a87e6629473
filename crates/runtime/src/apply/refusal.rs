//! What a refused request means, in words for the person who wrote the resource.

use idp_core::{Kind, ObjectKey, Problem};
use kube::core::Status;

use crate::{client::request::ApiError, object::parent::Parent};

/// What to do about a failed write.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Stop quietly: the namespace is going or gone, and the resource with it.
    NamespaceGone,
    /// Try again with back-off.
    Transient(Problem),
    /// Only a change can mend it, of an object that the caches do not hold: its change is no event.
    Unwatched(Problem),
    /// Only a change can mend it; tried again at the slow end of the back-off.
    Lasting(Problem),
}

impl Refusal {
    /// Reads the answer to an attempt to write `kind` `key`.
    pub(crate) fn of(kind: Kind, key: &ObjectKey, error: &ApiError) -> Self {
        let what = format!("{kind} {}", key.name);
        match error {
            ApiError::Unreachable(message) => Self::Transient(
                Problem::error(
                    "ApiUnavailable",
                    format!("{what} could not be written: {message}"),
                )
                .hint("it is tried again; nothing to do unless it stays"),
            ),
            ApiError::Refused(status) => Self::of_status(kind, key, status, &what),
        }
    }

    /// The same for an object of another namespace than its owner's: that such a namespace is not there says nothing
    /// about the owner.
    pub(crate) fn elsewhere(self, parent: &Parent, key: &ObjectKey) -> Self {
        if !matches!(self, Self::NamespaceGone) || key.namespace == parent.key.namespace {
            return self;
        }
        let message = format!("the namespace {} is not there, or is going", key.namespace);
        Self::Unwatched(
            Problem::error("NamespaceMissing", message)
                .hint("create the namespace; it is looked for again every 20 s"),
        )
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
            403 if message.contains("exceeded quota") => Self::Lasting(
                Problem::error(
                    "QuotaExceeded",
                    format!("{what} does not fit the namespace's quota: {message}"),
                )
                .hint("ask for less, free something, or have the ResourceQuota raised"),
            ),
            401 | 403 => Self::Lasting(
                Problem::error("Forbidden", format!("{what} was refused: {message}"))
                    .hint("an admission policy forbids it, or the controller's ClusterRole lacks a rule"),
            ),
            404 => Self::Lasting(not_served(kind)),
            // The object was replaced by another of its name; its events tell what to do.
            422 if message.contains("metadata.uid") => Self::Transient(Problem::error(
                "Conflict",
                format!("{what} was replaced meanwhile"),
            )),
            // A field that the schema lacks, or one of the wrong type: an error of ours or of the input,
            // though the API server answers 500 to it.
            500 if message.contains("typed patch object") => Self::Lasting(
                Problem::error("Invalid", format!("{what} was refused: {message}"))
                    .hint("the installed version of this kind does not know the field"),
            ),
            409 => Self::Transient(Problem::error(
                "Conflict",
                format!("{what} changed meanwhile: {message}"),
            )),
            400 | 405 | 413 | 415 | 422 => {
                let problem = Problem::error("Invalid", format!("{what} was refused: {}", details(status)));
                Self::Lasting(if message.contains("immutable") {
                    problem.hint(format!(
                        "a field that cannot change would have to; `kubectl -n {} delete {} {}` lets it be created anew",
                        key.namespace, kind.plural, key.name
                    ))
                } else {
                    problem.hint("change the field of the resource that this one is made from")
                })
            }
            _ => Self::Transient(
                Problem::error(
                    "ApiUnavailable",
                    format!("{what} could not be written: {message}"),
                )
                .hint("it is tried again; nothing to do unless it stays"),
            ),
        }
    }
}

/// The problem of a kind whose CRD is not installed.
pub(crate) fn not_served(kind: Kind) -> Problem {
    let message = format!("the cluster has no kind {kind} ({})", kind.api_version());
    Problem::error("KindNotServed", message).hint(format!(
        "install the operator that brings the CRD {}.{}; it is noticed within half a minute",
        kind.plural, kind.group
    ))
}

/// An object that was to be changed is not there any more. Its deletion is an event, which tells what to do.
pub(crate) fn deleted_meanwhile(kind: Kind, key: &ObjectKey) -> Refusal {
    let message = format!("{kind} {} was deleted while it was written", key.name);
    Refusal::Transient(Problem::error("Conflict", message))
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

//! Why something does not work, in words for the person who wrote the resource.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Reason;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Severity {
    /// Nothing is broken, but something is not as it should be.
    Warning,
    /// What the resource asks for is not there.
    Error,
}

/// One problem: the root cause and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `Error` when what the resource asks for is not there, `Warning` otherwise.
    pub severity: Severity,
    /// One word in CamelCase that scripts can match, such as `HostTaken`.
    pub reason: String,
    /// The field that it is about, such as `spec.routes[0].host`; absent when it is about no field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What is wrong and where it comes from.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// A problem that keeps the resource from working.
    pub fn error(reason: impl Into<Reason>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, reason.into(), message)
    }

    /// A problem that the resource works in spite of.
    pub fn warning(reason: impl Into<Reason>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, reason.into(), message)
    }

    /// An error with the reason that Kubernetes or another component gave, such as `ImagePullBackOff` of a pod.
    pub fn reported(reason: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            reason: reason.to_owned(),
            path: None,
            message: message.into(),
            hint: None,
        }
    }

    fn new(severity: Severity, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            severity,
            reason: reason.name.to_owned(),
            path: None,
            message: message.into(),
            hint: (!reason.hint.is_empty()).then(|| reason.hint.to_owned()),
        }
    }

    /// Names the field that the problem is about.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Says what to do next, instead of the reason's own hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The message and the reason in one line, without a full stop: `Host a belongs to application b/c (HostTaken)`.
    pub fn headline(&self) -> String {
        format!("{} ({})", self.message.trim_end_matches('.'), self.reason)
    }

    /// Whether it keeps the resource from working.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{path}: ")?;
        }
        write!(f, "{}.", self.headline())?;
        if let Some(hint) = &self.hint {
            write!(f, " {hint}")?;
        }
        Ok(())
    }
}

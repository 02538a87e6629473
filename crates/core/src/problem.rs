//! Why something does not work, for the person who wrote the resource.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Reason;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Severity {
    /// Something is not as requested, but nothing is broken.
    Warning,
    /// Something that the spec requests is missing.
    Error,
}

/// A problem: its root cause, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `Error` if something that the spec requests is missing, `Warning` otherwise.
    pub severity: Severity,
    /// One word in CamelCase that scripts can match, such as `HostTaken`. docs/reference/problems.md lists all.
    pub reason: String,
    /// The field concerned, such as `spec.routes[0].host`; absent if no single field is concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What is wrong, and the cause.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// A problem that prevents the resource from working.
    pub fn error(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, reason, message)
    }

    /// A problem despite which the resource works.
    pub fn warning(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, reason, message)
    }

    /// An error with a reason from Kubernetes or another component, such as `ImagePullBackOff` of a pod.
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
            hint: Some(reason.hint.to_owned()),
        }
    }

    /// Sets the field concerned.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Replaces the reason's hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The message and the reason in one line, without a full stop: `Host a belongs to application b/c (HostTaken)`.
    pub fn headline(&self) -> String {
        format!("{} ({})", self.message.trim_end_matches('.'), self.reason)
    }

    /// Whether its severity is `Error`.
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

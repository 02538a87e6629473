//! cert-manager's `CertificateRequest`, as far as the approver reads and writes it.

use idp_core::{Condition, Problem, StatusView};
use kube::CustomResource;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::certificate_request::{csr, requirements::Issuer};

/// What somebody asks an issuer for.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "cert-manager.io",
    version = "v1",
    kind = "CertificateRequest",
    namespaced,
    schema = "disabled",
    status = "CertificateRequestStatus",
    derive = "Default"
)]
#[serde(rename_all = "camelCase")]
pub struct CertificateRequestSpec {
    /// Who is to sign.
    #[serde(default)]
    pub issuer_ref: Issuer,
    /// The request.
    #[serde(default)]
    pub request: Text,
    /// How long the certificate is to be valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// Whether it is to sign others.
    #[serde(default, rename = "isCA")]
    pub is_ca: bool,
    /// What it is to be used for.
    #[serde(default)]
    pub usages: Vec<String>,
}

/// Base64 of a PEM text. One that is too long to be read is not kept either: anybody can create thousands of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// The base64.
    Base64(String),
    /// How many bytes the base64 had.
    TooLong(usize),
}

impl Default for Text {
    fn default() -> Self {
        Self::Base64(String::new())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(if text.len() > csr::LONGEST.div_ceil(3) * 4 {
            Self::TooLong(text.len())
        } else {
            Self::Base64(text)
        })
    }
}

impl Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Base64(text) => text,
            Self::TooLong(_) => "",
        })
    }
}

/// What became of a request. Everything in it that the approver does not write stays as it is.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CertificateRequestStatus {
    /// Conditions: `Approved` and `Denied` among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<RequestCondition>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A condition of a request.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RequestCondition {
    /// Its name.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// The rest.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Condition: an approver allowed it.
pub const APPROVED: &str = "Approved";
/// Condition: an approver refused it.
pub const DENIED: &str = "Denied";

impl CertificateRequestStatus {
    /// Whether this condition is true.
    pub fn is(&self, condition: &str) -> bool {
        self.conditions
            .iter()
            .any(|found| found.type_ == condition && found.status == "True")
    }

    /// Whether somebody has decided already.
    pub fn is_decided(&self) -> bool {
        self.conditions
            .iter()
            .any(|found| found.type_ == APPROVED || found.type_ == DENIED)
    }
}

// A foreign resource: its conditions are no events or metrics of ours.
impl StatusView for CertificateRequestStatus {
    fn conditions(&self) -> &[Condition] {
        &[]
    }

    fn problems(&self) -> &[Problem] {
        &[]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_fields_survive() {
        let status = json!({
            "conditions": [{"type": "Ready", "status": "False", "reason": "Pending", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            "certificate": "YQ==",
            "future": {"a": [1]},
        });
        let read: CertificateRequestStatus = serde_json::from_value(status.clone()).unwrap();
        assert!(!read.is_decided());
        assert_eq!(serde_json::to_value(&read).unwrap(), status);
    }

    #[test]
    fn long_texts_are_not_kept() {
        let text: Text = serde_json::from_value(json!("A".repeat(1 << 20))).unwrap();
        assert_eq!(text, Text::TooLong(1 << 20));
    }
}

//! cert-manager's `CertificateRequest`: the fields that the approver reads and writes.

use idp_core::{Condition, Problem, StatusView};
use kube::CustomResource;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::certificate_request::{csr, requirements::Issuer};

/// A request to an issuer.
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
    /// The issuer.
    #[serde(default)]
    pub issuer_ref: Issuer,
    /// The CSR.
    #[serde(default)]
    pub request: Text,
    /// Requested lifetime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// Whether it requests a CA certificate.
    #[serde(default, rename = "isCA")]
    pub is_ca: bool,
    /// Requested usages.
    #[serde(default)]
    pub usages: Vec<String>,
}

/// A PEM text in base64. One that is too long is dropped, because any tenant can create thousands of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// The base64.
    Base64(String),
    /// Length of the base64 in bytes.
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
        Ok(if text.len() > csr::MAX_BYTES.div_ceil(3) * 4 {
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

/// Status of a request. The approver preserves every field that it does not know.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CertificateRequestStatus {
    /// Conditions: `Approved` and `Denied` among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<RequestCondition>,
    /// All other fields.
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
    /// All other fields.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Condition: an approver has approved the request.
pub const APPROVED: &str = "Approved";
/// Condition: an approver has denied the request.
pub const DENIED: &str = "Denied";

impl CertificateRequestStatus {
    /// Whether this condition is true.
    pub fn is(&self, condition: &str) -> bool {
        self.conditions
            .iter()
            .any(|found| found.type_ == condition && found.status == "True")
    }

    /// Whether an approver has decided.
    pub fn is_decided(&self) -> bool {
        self.conditions
            .iter()
            .any(|found| found.type_ == APPROVED || found.type_ == DENIED)
    }
}

// Another project's resource: its conditions must not become events or metrics of this controller.
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
    fn long_texts_are_dropped() {
        let text: Text = serde_json::from_value(json!("A".repeat(1 << 20))).unwrap();
        assert_eq!(text, Text::TooLong(1 << 20));
    }
}

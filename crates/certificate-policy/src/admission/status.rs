//! Environments have no status.

use idp_core::{Condition, Problem, StatusView};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The status of an Environment: none.
#[derive(Clone, Debug, PartialEq)]
pub struct NoStatus;

impl Serialize for NoStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

impl<'de> Deserialize<'de> for NoStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl StatusView for NoStatus {
    fn conditions(&self) -> &[Condition] {
        &[]
    }

    fn problems(&self) -> &[Problem] {
        &[]
    }
}

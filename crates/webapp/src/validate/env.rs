//! Environment variables.

use idp_api::web_application::EnvVar;
use idp_core::Problem;

use super::findings::Findings;
use crate::reasons;

/// The variables, in the order of the spec: `$(OTHER)` refers to earlier ones.
pub(super) fn env(written: &[EnvVar], findings: &mut Findings) -> Vec<EnvVar> {
    findings.unique(
        written.iter().map(|var| &var.name),
        |i| format!("spec.env[{i}].name"),
        "variable",
    );
    for (index, var) in written.iter().enumerate() {
        if var.value.is_some() == var.from_field.is_some() {
            findings.add(
                Problem::error(
                    reasons::INVALID_SPEC,
                    format!("Variable {} needs exactly one source.", var.name),
                )
                .at(format!("spec.env[{index}]"))
                .hint("Set either value or fromField."),
            );
        }
    }
    written.to_vec()
}

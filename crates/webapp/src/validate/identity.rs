//! Name and namespace of the application.

use idp_api::WebApplication;
use idp_core::{Problem, names::is_label};

use super::findings::Findings;
use crate::reasons;

/// Maximum length of a name: names derived from it need room for a suffix.
const MAX_LENGTH: usize = 40;

/// Name and namespace. The API server checks the name too, but `render` has no API server.
pub(super) fn identity(app: &WebApplication, findings: &mut Findings) -> (String, String) {
    let name = app.metadata.name.clone().unwrap_or_default();
    if !is_service_name(&name) {
        let message = format!("{name:?} is not a valid name for an application.");
        findings.add(Problem::error(reasons::INVALID_NAME, message).at("metadata.name"));
    }
    (
        name,
        app.metadata
            .namespace
            .clone()
            .unwrap_or_else(|| "default".to_owned()),
    )
}

/// Whether a Service can have the name (RFC 1035).
fn is_service_name(name: &str) -> bool {
    name.len() <= MAX_LENGTH && name.starts_with(|c: char| c.is_ascii_lowercase()) && is_label(name)
}

//! Name and namespace of the application.

use idp_api::WebApplication;
use idp_core::{Problem, names::is_label};

use super::findings::Findings;
use crate::reasons;

/// Longest name: what is made from it has room for a suffix.
const LONGEST: usize = 40;

/// Name and namespace. The API server checks the name too, but `render` has none to ask.
pub(super) fn identity(app: &WebApplication, findings: &mut Findings) -> (String, String) {
    let name = app.metadata.name.clone().unwrap_or_default();
    if !is_service_name(&name) {
        let message = format!("{name:?} cannot be the name of an application");
        findings.add(Problem::error(reasons::INVALID_NAME, message).at("metadata.name").hint(
            "write at most 40 characters of a-z, 0-9 and '-', beginning with a letter and not ending with '-'",
        ));
    }
    (
        name,
        app.metadata
            .namespace
            .clone()
            .unwrap_or_else(|| "default".to_owned()),
    )
}

/// RFC 1035: what a Service's name must be.
fn is_service_name(name: &str) -> bool {
    name.len() <= LONGEST && name.starts_with(|c: char| c.is_ascii_lowercase()) && is_label(name)
}

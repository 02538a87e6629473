//! Sections that other controllers serve.

use idp_api::WebApplicationSpec;
use idp_core::Problem;

use super::{findings::Findings, reason::CAPABILITY_MISSING};

/// Adds a problem for each section that nothing serves. An application is made whole or not at all: without its
/// database it would only crash, and say less clearly why.
pub(super) fn capabilities(spec: &WebApplicationSpec, findings: &mut Findings) {
    let storage = spec
        .storage
        .as_ref()
        .is_some_and(|s| !s.buckets.is_empty() || !s.volumes.is_empty());
    let sections = [
        ("secrets", !spec.secrets.is_empty()),
        ("databases", !spec.databases.is_empty()),
        ("storage", storage),
    ];
    let used = sections
        .into_iter()
        .filter(|(_, used)| *used)
        .map(|(name, _)| (name.to_owned(), name.to_owned()));
    let own = spec
        .capabilities
        .keys()
        .map(|name| (name.clone(), format!("capabilities.{name}")));
    for (name, section) in used.chain(own) {
        findings.add(
            Problem::error(
                CAPABILITY_MISSING,
                format!("the capability {name} is not deployed in this cluster"),
            )
            .at(format!("spec.{section}"))
            .hint(format!(
                "take spec.{section} out until the platform team has deployed it"
            )),
        );
    }
}

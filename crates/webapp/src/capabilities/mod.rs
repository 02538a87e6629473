//! Capabilities: controllers that serve sections of the spec. What is sent to which, how it is called, and what it returns.
//!
//! All capabilities plan before any object is applied: an application is made with every section or not at all.

mod address;
mod directory;
mod facts;
mod listeners;
mod probes;
mod sections;

pub use self::{
    address::{Address, CAPABILITY, service},
    directory::Capabilities,
    facts::{BindingFacts, binding},
    listeners::changes,
    sections::{Section, section_request, sections},
};

use idp_core::{Kind, capability::SectionPlan};

use crate::kinds;

/// Serves `spec.secrets`.
pub const SECRETS: &str = "secrets";
/// Serves `spec.databases` and `spec.storage`.
pub const CLAIMS: &str = "claims";
/// Serves the certificates of `spec.routes`.
pub const CERTIFICATES: &str = "certificates";

/// Whether the capability of this name has its own fields in the spec, so that `spec.capabilities` cannot name it.
pub fn is_built_in(capability: &str) -> bool {
    [SECRETS, CLAIMS, CERTIFICATES].contains(&capability)
}

/// The only kind of binding that a capability may plan. A platform team's own capability therefore reads no secret store,
/// gets no certificate and holds no data.
pub fn binding_kind(capability: &str) -> Kind {
    match capability {
        SECRETS => kinds::SECRET_BINDING,
        CERTIFICATES => kinds::CERTIFICATE_BINDING,
        CLAIMS => kinds::CLAIM_BINDING,
        _ => kinds::CAPABILITY_BINDING,
    }
}

/// What became of the call for a section's plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The section's plan, or its problems.
    Plan(SectionPlan),
    /// The capability does not respond.
    Unreachable {
        /// Since when, in RFC 3339.
        since: String,
    },
    /// The capability returned an error.
    Failed(String),
}

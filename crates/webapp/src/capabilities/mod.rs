//! Sections that other controllers serve: what is asked of whom, how it is asked, and what the answers are.
//!
//! Planning with capabilities comes before everything else, and an application is made with all answers or not at all.

mod directory;
mod facts;
mod probes;
mod sections;

pub use directory::{Address, CAPABILITY, Capabilities, service};
pub use facts::{BindingFacts, binding};
pub use sections::{Section, section_request, sections};

use idp_core::{Kind, capability::SectionPlan};

use crate::kinds;

/// Serves `spec.secrets`.
pub const SECRETS: &str = "secrets";
/// Serves `spec.databases` and `spec.storage`.
pub const CLAIMS: &str = "claims";
/// Serves the certificates of `spec.routes`.
pub const CERTIFICATES: &str = "certificates";

/// Whether the platform serves the capability of this name itself, for fields of its own: `spec.capabilities` cannot
/// reach it.
pub fn is_built_in(capability: &str) -> bool {
    [SECRETS, CLAIMS, CERTIFICATES].contains(&capability)
}

/// The only kind of binding that a capability may answer with. Each keeps to its own, so that the word of a platform
/// team's capability reads no secret store, gets no certificate and holds no data.
pub fn binding_kind(capability: &str) -> Kind {
    match capability {
        SECRETS => kinds::SECRET_BINDING,
        CERTIFICATES => kinds::CERTIFICATE_BINDING,
        CLAIMS => kinds::CLAIM_BINDING,
        _ => kinds::CAPABILITY_BINDING,
    }
}

/// What a capability says of a section.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// What it becomes, or why it cannot be carried out.
    Plan(SectionPlan),
    /// Nothing: it does not answer, since then (RFC 3339).
    Silence {
        /// Since when.
        since: String,
    },
    /// It answers with an error of its own.
    Failure(String),
}

//! The certificate policy controller: which namespaces can have which certificates, and the certificates of applications.
//!
//! Four controllers and a capability share one process and one view of the policies: `audit` (the policies and what
//! violates them), `binding` (hosts of applications -> Certificates), `approver` (requests -> approved or denied) and
//! `admission` (what the API server is told of the policies). `certificate_request`, `rules` and `section` are pure, and
//! decide.

pub mod admission;
pub mod approver;
pub mod audit;
pub mod binding;
pub mod capability;
pub mod certificate_request;
mod controller_names;
pub mod environment;
pub mod facts;
pub mod host_claim;
pub mod kinds;
mod problems;
mod process;
pub mod reasons;
pub mod rules;
pub mod secret;
pub mod section;
pub mod shared_cache;
pub mod uri;

pub use controller_names::NAME;
pub use process::{controllers, process};

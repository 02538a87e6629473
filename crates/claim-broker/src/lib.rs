//! The claims capability: the databases, buckets and volumes of an application become Crossplane claims (or composite
//! resources, or PersistentVolumeClaims), and deleting data takes two deliberate steps.
//!
//! `section` is the pure plan of the section: a database becomes a ClaimBinding and environment variables; `capability`
//! serves it over gRPC. `binding` turns each ClaimBinding into its claim, in the usual phases. `class` checks ClaimClasses,
//! and deletes retained claims without a binding. `retention` decides when data are marked and deleted; `retention::cli` is
//! what `idp-cli data` does with a user's rights.

pub mod annotations;
pub mod binding;
mod capability;
pub mod class;
pub mod class_template;
pub mod facts;
mod identity;
pub mod kinds;
mod message;
pub mod reasons;
pub mod retention;
mod rules;
pub mod section;

use std::sync::Arc;

use binding::controller::ClaimBindingController;
use capability::ClaimCapability;
use class::controller::ClaimClassController;
pub use identity::NAME;

/// The process: its two controllers, for claims of these kinds, and the capability that it serves.
pub fn process(kinds: kinds::Kinds) -> idp_runtime::Process {
    let kinds = Arc::new(kinds);
    let mut process = idp_runtime::Process::new(NAME);
    process.controller(ClaimClassController { kinds: kinds.clone() });
    let view = process.controller(ClaimBindingController { kinds: kinds.clone() });
    process.serve(
        idp_rpc::capability::service(ClaimCapability { view, kinds }),
        idp_rpc::capability::CALLERS,
        idp_rpc::DESCRIPTORS,
    );
    process
}

//! The secrets capability: the secrets of an application become resources of External Secrets.
//!
//! It connects names. It never reads a Secret, and has no permission to.
//!
//! `section` is the pure plan of the section; `capability` serves it over gRPC. `controller` turns each SecretBinding into
//! ExternalSecrets, in the usual phases.

mod capability;
mod controller;
mod facts;
mod identity;
mod kinds;
mod observe;
mod plan;
pub mod reasons;
mod rules;
pub mod section;
mod status;
mod sync_error;
mod validate;
mod versions;

pub use identity::NAME;
pub use rules::template::FUNCTIONS as TEMPLATE_FUNCTIONS;

/// The process: its controller, and the capability that it serves.
pub fn process() -> idp_runtime::Process {
    let mut process = idp_runtime::Process::new(NAME);
    process.controller(controller::SecretBindingController);
    process.serve(
        idp_rpc::capability::service(capability::SecretsCapability),
        idp_rpc::capability::CALLERS,
        idp_rpc::DESCRIPTORS,
    );
    process
}

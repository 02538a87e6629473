//! The secrets bridge: what applications want of the remote secret store becomes External Secrets' resources.
//!
//! It wires names. It never reads a Secret, and has no right to.

pub mod capability;
mod checks;
pub mod controller;
mod facts;
mod failure;
mod keys;
mod kinds;
mod observe;
mod plan;
mod status;
pub mod template;
mod validate;
mod versions;

/// The process: its controller, and the capability that it serves.
pub fn process() -> idp_runtime::Process {
    let mut process = idp_runtime::Process::new(controller::NAME);
    process.controller(controller::SecretBindingController);
    process.serve(
        idp_rpc::capability::service(capability::SecretsCapability),
        idp_rpc::capability::CALLERS,
        idp_rpc::DESCRIPTORS,
    );
    process
}

//! The claims capability: what an application wants as databases, buckets and volumes becomes Crossplane claims (or
//! composite resources, or volume claims), and the data outlive mistakes.
//!
//! `section` answers the WebApplication controller over gRPC: a database becomes a `ClaimBinding` and environment
//! variables. `controller` turns each ClaimBinding into its claim, in the usual phases. `tombstone` decides when
//! data are marked and deleted, as actions that the runtime carries out. `classes` checks ClaimClasses, and plans the deletion
//! of what is kept for nobody. `data` is what the command line does with a user's rights.

pub mod capability;
pub mod cause;
pub mod classes;
pub mod controller;
pub mod data;
pub mod facts;
pub mod kinds;
pub mod marks;
pub mod observe;
pub mod observed;
pub mod offer;
pub mod plan;
pub mod reason;
pub mod section;
pub mod status;
pub mod template;
pub mod tombstone;
pub mod validate;

/// The process: its two controllers, for claims of these kinds, and the capability that it serves.
pub fn process(kinds: kinds::Kinds) -> idp_runtime::Process {
    let kinds = std::sync::Arc::new(kinds);
    let mut process = idp_runtime::Process::new(controller::NAME);
    process.controller(classes::ClaimClassController { kinds: kinds.clone() });
    let view = process.controller(controller::ClaimBindingController { kinds: kinds.clone() });
    process.serve(
        idp_rpc::capability::service(capability::ClaimCapability { view, kinds }),
        idp_rpc::capability::CALLERS,
        idp_rpc::DESCRIPTORS,
    );
    process
}

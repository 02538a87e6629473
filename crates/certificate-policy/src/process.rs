//! The process: its controllers and the capability.

use std::sync::Arc;

use idp_runtime::Process;

use crate::{
    admission::AdmissionController, approver::ApproverController, audit::PolicyController,
    binding::CertificateBindingController, capability::CertificateCapability, controller_names::NAME,
};

/// The controllers, and the capability over gRPC.
pub fn process() -> Process {
    let (mut process, capability) = assembled();
    process.serve(
        idp_rpc::capability::service(capability),
        idp_rpc::capability::CALLERS,
        idp_rpc::DESCRIPTORS,
    );
    process
}

/// The controllers alone, which need no TLS certificate.
pub fn controllers() -> Process {
    assembled().0
}

fn assembled() -> (Process, CertificateCapability) {
    let mut process = Process::new(NAME);
    let shared = process.controller(PolicyController::default());
    let bindings = process.controller(CertificateBindingController {
        shared: shared.clone(),
    });
    process.controller(ApproverController {
        shared: shared.clone(),
        bindings: bindings.clone(),
    });
    process.controller(AdmissionController {
        shared: shared.clone(),
    });
    (
        process,
        CertificateCapability {
            shared,
            bindings,
            waiting: Arc::default(),
        },
    )
}

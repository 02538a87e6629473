//! `idp-certificate-policy`: the certificate policy controller.

use std::process::ExitCode;

use clap::Parser;
use idp_certificate_policy::{
    admission::AdmissionController,
    approver::ApproverController,
    audit::PolicyController,
    binding::{CertificateBindingController, NAME},
    capability::{CALLERS, CertificateCapability},
};
use idp_runtime::Process;

/// Decides who may have which certificates, and has those of applications issued.
#[derive(Parser)]
#[command(name = "idp-certificate-policy", version)]
struct Cli {
    #[command(flatten)]
    runtime: idp_runtime::Args,
}

#[tokio::main]
async fn main() -> ExitCode {
    match process().run(Cli::parse().runtime).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not by `return Err`: with RUST_BACKTRACE set, that would bury the reason under a backtrace.
            eprintln!("idp-certificate-policy: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn process() -> Process {
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
    let capability = CertificateCapability { shared, bindings };
    process.serve(
        idp_rpc::capability::service(capability),
        CALLERS,
        idp_rpc::DESCRIPTORS,
    );
    process
}

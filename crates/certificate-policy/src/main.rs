//! `idp-certificate-policy`: the certificate policy controller.

use std::{path::Path, process::ExitCode, time::Duration};

use clap::Parser;
use idp_certificate_policy::{controllers, process};
use idp_runtime::Args;

/// How often the process checks for its own certificate, while it has none.
const POLL: Duration = Duration::from_secs(2);

/// Decides which namespaces can have which certificates, and orders those of applications.
#[derive(Parser)]
#[command(name = "idp-certificate-policy", version)]
struct Cli {
    #[command(flatten)]
    runtime: Args,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().runtime).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not by `return Err`: with RUST_BACKTRACE set, a backtrace would hide the reason.
            eprintln!("idp-certificate-policy: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// cert-manager issues this process's certificate too, but only after this process has approved it. So without a
/// certificate it runs without gRPC, and exits when the certificate appears, to be restarted with it.
async fn run(args: Args) -> anyhow::Result<()> {
    let certificate = args.options.grpc.tls_dir.join("tls.crt");
    if certificate.exists() {
        return process().run(args).await;
    }
    let appears = async {
        appears(&certificate).await;
        tracing::info!("Own TLS certificate found. Exiting to restart with gRPC.");
    };
    // An orderly exit, so that the next process does not have to wait for the Lease to expire.
    controllers().run_while(args, appears).await
}

async fn appears(file: &Path) {
    while !file.exists() {
        tokio::time::sleep(POLL).await;
    }
}

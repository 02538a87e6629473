//! `idp-certificate-policy`: the certificate policy controller.

use std::{path::Path, process::ExitCode, time::Duration};

use clap::Parser;
use idp_certificate_policy::{controllers, process};
use idp_runtime::Args;

/// How often the certificate of our own is looked for, while there is none.
const LOOK: Duration = Duration::from_secs(2);

/// Decides who may have which certificates, and has those of applications issued.
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
            // Not by `return Err`: with RUST_BACKTRACE set, that would bury the reason under a backtrace.
            eprintln!("idp-certificate-policy: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Our own certificate comes from cert-manager too, and nobody but us approves it. So without one we work without gRPC;
/// when it is there we end, and are started again with it.
async fn run(args: Args) -> anyhow::Result<()> {
    let certificate = args.options.grpc.tls_dir.join("tls.crt");
    if certificate.exists() {
        return process().run(args).await;
    }
    let appears = async {
        appears(&certificate).await;
        tracing::info!("our own certificate is there: ending, to be started again with gRPC");
    };
    // In order, so that the next process need not wait for the Lease of this one to run out.
    controllers().run_while(args, appears).await
}

async fn appears(file: &Path) {
    while !file.exists() {
        tokio::time::sleep(LOOK).await;
    }
}

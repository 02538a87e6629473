//! `idp-webapp`, the WebApplication controller.

use std::process::ExitCode;

use clap::Parser;
use idp_webapp::{
    capabilities::{Address, Capabilities},
    controller::WebApplicationController,
};

/// Turns WebApplications into running applications.
#[derive(Parser)]
#[command(name = "idp-webapp", version)]
struct Cli {
    /// A capability outside of the cluster, as NAME=[SERVER@]HOST:PORT; those in the cluster are found by themselves
    #[arg(long = "capability", env = "IDP_CAPABILITIES", value_delimiter = ',')]
    capabilities: Vec<Address>,
    #[command(flatten)]
    runtime: idp_runtime::Args,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not by `return Err`: with RUST_BACKTRACE set, that would bury the reason under a backtrace.
            eprintln!("idp-webapp: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let options = &cli.runtime.options;
    let capabilities = Capabilities::new(&options.grpc.tls_dir, &options.lease_namespace, cli.capabilities)?;
    let controller = WebApplicationController {
        capabilities,
        ..WebApplicationController::default()
    };
    idp_runtime::run(controller, cli.runtime).await
}

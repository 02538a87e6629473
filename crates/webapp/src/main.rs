//! `idp-webapp`, the WebApplication controller.

use std::process::ExitCode;

use clap::Parser;
use idp_webapp::controller::WebApplicationController;

/// Turns WebApplications into running applications.
#[derive(Parser)]
#[command(name = "idp-webapp", version)]
struct Cli {
    #[command(flatten)]
    runtime: idp_runtime::Args,
}

#[tokio::main]
async fn main() -> ExitCode {
    match idp_runtime::run(WebApplicationController, Cli::parse().runtime).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not by `return Err`: with RUST_BACKTRACE set, that would bury the reason under a backtrace.
            eprintln!("idp-webapp: {error:#}");
            ExitCode::FAILURE
        }
    }
}

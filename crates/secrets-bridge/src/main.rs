//! `idp-secrets-bridge`, the capability `secrets`.

use std::process::ExitCode;

use clap::Parser;
use idp_secrets_bridge::controller::NAME;

/// Turns the secrets that applications want into External Secrets' resources.
#[derive(Parser)]
#[command(name = "idp-secrets-bridge", version)]
struct Cli {
    #[command(flatten)]
    runtime: idp_runtime::Args,
}

#[tokio::main]
async fn main() -> ExitCode {
    match idp_secrets_bridge::process().run(Cli::parse().runtime).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{NAME}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

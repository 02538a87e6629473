//! `idp-secrets-bridge`, the capability `secrets`.

use std::process::ExitCode;

use clap::Parser;
use idp_secrets_bridge::NAME;

/// Creates External Secrets' resources for the secrets of applications
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

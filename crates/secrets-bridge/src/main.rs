//! `idp-secrets-bridge`, the capability `secrets`.

use std::process::ExitCode;

use clap::Parser;
use idp_secrets_bridge::{
    capability::SecretsCapability,
    controller::{NAME, SecretBindingController},
};

/// Turns the secrets that applications want into External Secrets' resources.
#[derive(Parser)]
#[command(name = "idp-secrets-bridge", version)]
struct Cli {
    #[command(flatten)]
    runtime: idp_runtime::Args,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut process = idp_runtime::Process::new(NAME);
    process.controller(SecretBindingController);
    process.serve(
        idp_rpc::capability::service(SecretsCapability),
        idp_rpc::capability::CALLERS,
        idp_rpc::DESCRIPTORS,
    );
    match process.run(Cli::parse().runtime).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{NAME}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

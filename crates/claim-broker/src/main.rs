//! `idp-claim-broker`: the claims capability.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};
use idp_claim_broker::{
    controller::NAME,
    kinds::{self, Kinds},
};
use idp_core::Kind;

/// Turns what applications want as databases, buckets and volumes into Crossplane claims.
#[derive(Parser)]
#[command(name = "idp-claim-broker", version)]
struct Cli {
    #[command(flatten)]
    runtime: idp_runtime::Args,
    /// A further kind that ClaimClasses may make, as group/version/Kind/plural; the broker's ClusterRole must have it too
    #[arg(long = "claim-kind", env = "IDP_CLAIM_KINDS", value_delimiter = ',', value_parser = kinds::parse)]
    claims: Vec<Kind>,
    /// A composite kind of Crossplane 1 that belongs to such claims, as group/version/Kind/plural/cluster
    #[arg(long = "composite-kind", env = "IDP_COMPOSITE_KINDS", value_delimiter = ',', value_parser = kinds::parse)]
    composites: Vec<Kind>,
    /// A kind that Compositions compose, whose errors are then shown on applications, as group/version/Kind/plural, with
    /// /cluster after it unless it is namespaced
    #[arg(long = "composed-kind", env = "IDP_COMPOSED_KINDS", value_delimiter = ',', value_parser = kinds::parse)]
    composed: Vec<Kind>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(cli()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not by `return Err`: with RUST_BACKTRACE set, that would bury the reason under a backtrace.
            eprintln!("{NAME}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The arguments. More is reconciled at a time than by other controllers: Crossplane, with up to a hundred requests under
/// way, shares the API server, and many claims at once would wait for it.
fn cli() -> Cli {
    let command = Cli::command().mut_arg("max_concurrent_reconciles", |arg| arg.default_value("48"));
    Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let kinds = Kinds::with(&cli.claims, &cli.composites, &cli.composed);
    idp_claim_broker::process(kinds).run(cli.runtime).await
}

//! `idp-claim-broker`: the claims capability.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};
use idp_claim_broker::{
    NAME,
    kinds::{self, Kinds},
};
use idp_core::Kind;

/// Creates Crossplane claims for the databases, buckets and volumes of applications
#[derive(Parser)]
#[command(name = "idp-claim-broker", version)]
struct Cli {
    #[command(flatten)]
    runtime: idp_runtime::Args,
    /// A further kind that ClaimClasses may create, as group/version/Kind/plural; the broker's ClusterRole must have it too
    #[arg(long = "claim-kind", env = "IDP_CLAIM_KINDS", value_delimiter = ',', value_parser = kinds::parse)]
    claims: Vec<Kind>,
    /// The composite kind of such claims, as group/version/Kind/plural/cluster
    #[arg(long = "composite-kind", env = "IDP_COMPOSITE_KINDS", value_delimiter = ',', value_parser = kinds::parse)]
    composites: Vec<Kind>,
    /// A kind that Compositions create, whose errors are then shown on applications, as group/version/Kind/plural, followed by
    /// /cluster if it is cluster-scoped
    #[arg(long = "composed-kind", env = "IDP_COMPOSED_KINDS", value_delimiter = ',', value_parser = kinds::parse)]
    composed: Vec<Kind>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(cli()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // `return Err` would hide the error in a backtrace if RUST_BACKTRACE is set.
            eprintln!("{NAME}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The arguments. More resources are reconciled at a time than by other controllers: requests wait longer here, because
/// Crossplane keeps up to a hundred requests of its own running at the API server.
fn cli() -> Cli {
    let command = Cli::command().mut_arg("max_concurrent_reconciles", |arg| arg.default_value("48"));
    Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let kinds = Kinds::with(&cli.claims, &cli.composites, &cli.composed);
    idp_claim_broker::process(kinds).run(cli.runtime).await
}

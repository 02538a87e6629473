//! `cargo xtask bench`: measures.

mod arrivals;
mod ceiling;
mod environment;
mod lab;
mod numbers;
mod share;
mod size;
mod webapp;

use std::path::Path;

use anyhow::Result;
use clap::{Args, Subcommand};

/// What to measure.
#[derive(Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The WebApplication controller against a bare client that writes the same objects.
    Webapp(webapp::WebappArgs),
}

/// Runs a benchmark.
pub(crate) async fn run(root: &Path, args: &BenchArgs) -> Result<()> {
    match &args.what {
        What::Webapp(args) => Box::pin(webapp::run(root, args)).await,
    }
}

//! Project tasks: generated files, demo, test, bench. Never shipped.

mod bench;
mod build;
mod checks;
mod demo;
mod generate;
mod progress;
mod test;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The project's tasks. Each sets up everything that it requires, once, in `~/.cache/idp`.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Start a cluster, the controllers and the sample application, and show the result.
    Demo(demo::DemoArgs),
    /// Run all tests, including those on a cluster.
    Test(test::TestArgs),
    /// Check format, lints and dependencies.
    Check,
    /// Measure, and print ratios of measurements of the same run.
    Bench(bench::BenchArgs),
    /// Write the generated files.
    Generate,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    let root = idp_testkit::root().canonicalize()?;
    match cli.task {
        Task::Demo(args) => demo::run(&root, &args).await,
        Task::Test(args) => test::run(&root, &args).await,
        Task::Check => checks::run(&root),
        Task::Bench(args) => bench::run(&root, &args).await,
        Task::Generate => generate::run(&root),
    }
}

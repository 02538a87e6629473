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

/// The project's tasks. Each does all the set-up that it needs, once, in `~/.cache/idp`.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Shows the main job: a cluster, the controller, and the sample application up to Ready.
    Demo(demo::DemoArgs),
    /// Runs every test, those on the real cluster included.
    Test(test::TestArgs),
    /// Checks format, lints and dependencies.
    Check,
    /// Measures, and prints ratios of what was measured in the same run.
    Bench(bench::BenchArgs),
    /// Writes the files that are made from code.
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

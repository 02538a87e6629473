//! `idp-cli`: the platform on the command line.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod cluster;
mod compare;
mod connect;
mod data;
mod image;
mod knowledge;
mod manifest;
mod offline;
mod online;
mod plan;
mod platform;
mod progress;
mod render;
mod show;
mod terminal;
mod tree;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The platform on the command line.
#[derive(Parser)]
#[command(name = "idp-cli", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    connect: connect::ConnectArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a local cluster with the platform's resources, or complete a running one.
    Up(cluster::UpArgs),
    /// Stop the local cluster. Its data is kept unless you add --purge.
    Down(cluster::DownArgs),
    /// Show the status of an application or, without a name, of the local cluster.
    Status(StatusArgs),
    /// Print the path of the local cluster's kubeconfig.
    Kubeconfig,
    /// Run kubectl, in the local cluster's version, against it.
    #[command(disable_help_flag = true)]
    Kubectl(cluster::KubectlArgs),
    /// Build and load container images without a container engine.
    #[command(subcommand)]
    Image(image::ImageCommand),
    Render(render::RenderArgs),
    Plan(plan::PlanArgs),
    /// List, delete or restore retained data of databases, buckets and volumes.
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Show all objects of an application as a tree.
    Tree(show::ApplicationArgs),
}

#[derive(clap::Args)]
struct StatusArgs {
    /// Name of the application. Default: show the local cluster.
    name: Option<String>,
    /// Namespace of the application. Default: the namespace of the kubeconfig's context.
    #[arg(long, short)]
    namespace: Option<String>,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            terminal::notes(&format!("idp-cli: {error:#}"));
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    let name = cli.connect.cluster.as_str();
    match cli.command {
        Command::Up(args) => cluster::up(&cli.connect, &args).await,
        Command::Down(args) => cluster::down(name, &args).await,
        Command::Status(StatusArgs {
            name: Some(application),
            namespace,
        }) => {
            let args = show::ApplicationArgs {
                name: application,
                namespace,
            };
            show::status(cli.connect.client().await?, &args).await
        }
        Command::Status(StatusArgs { name: None, .. }) => cluster::status(name),
        Command::Kubeconfig => cluster::kubeconfig(name),
        Command::Kubectl(args) => cluster::kubectl(name, &args),
        Command::Image(command) => image::run(name, &command).await,
        Command::Render(args) => render::run(&args),
        Command::Plan(args) => plan::run(cli.connect.client().await?, &args).await,
        Command::Data(command) => data::run(cli.connect.client().await?, &command).await,
        Command::Tree(args) => tree::tree(cli.connect.client().await?, &args).await,
    }
}

//! `idp-cli image`: build and load images without a container engine.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;
use idp_cluster::{Cluster, Image};

use crate::terminal::say;

/// Build and load container images without a container engine.
#[derive(Subcommand)]
pub(crate) enum ImageCommand {
    /// Build an image archive from one static program.
    Build {
        /// The program: a statically linked Linux executable.
        program: PathBuf,
        /// Name and tag of the image, such as `shop:1.0`.
        #[arg(long, short)]
        tag: String,
        /// The archive to write, in the format of `docker save`.
        #[arg(long, short)]
        output: PathBuf,
    },
    /// Load an image archive (from `image build` or `docker save`) into the local cluster's node.
    Load {
        /// The archive.
        archive: PathBuf,
    },
}

/// Runs the command.
pub(crate) async fn run(cluster: &str, command: &ImageCommand) -> Result<()> {
    match command {
        ImageCommand::Build { program, tag, output } => {
            let content =
                std::fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
            let name = program
                .file_name()
                .context("the program's path has no file name")?
                .to_string_lossy();
            Image::of_program(tag, &format!("/{name}"), content).write_archive(output)?;
            say(&output.display().to_string())?;
        }
        ImageCommand::Load { archive } => {
            let loaded = idp_cluster::load_archive(&Cluster::open(cluster)?, archive).await?;
            say(&loaded.to_string())?;
        }
    }
    Ok(())
}

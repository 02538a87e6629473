//! Building the project's own programs, as every task needs them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// How a program is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quickly.
    Debug,
    /// As in container images: what is measured is what runs in production.
    Image,
}

/// Builds the programs of `packages` and gives the folder that they are in.
pub(crate) fn programs(root: &Path, packages: &[&str], profile: Profile) -> Result<PathBuf> {
    let mut cargo = cargo(root);
    cargo.arg("build");
    packages.iter().for_each(|package| {
        cargo.args(["--package", package]);
    });
    if profile == Profile::Image {
        cargo.args(["--profile", "image"]);
    }
    run(&mut cargo)?;
    let folder = if profile == Profile::Image {
        "image"
    } else {
        "debug"
    };
    Ok(target(root).join(folder))
}

/// cargo, in the workspace.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    // What an outer `cargo run` sets for xtask itself is not meant for the programs it builds.
    command.env_remove("CARGO_MANIFEST_DIR");
    command
}

/// Runs a command whose output the user sees.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}").replace('"', "");
    let status = command
        .status()
        .with_context(|| format!("{shown} cannot be run"))?;
    if !status.success() {
        bail!("{shown} failed ({status})");
    }
    Ok(())
}

fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

//! Builds the project's programs.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// How a program is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Fast to build.
    Debug,
    /// As in container images, for measurements.
    Image,
}

/// Builds the programs of `packages` and returns their folder.
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
    // The outer `cargo run` sets it for xtask; the programs that it builds must not inherit it.
    command.env_remove("CARGO_MANIFEST_DIR");
    command
}

/// Runs a command with its output visible to the user.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}").replace('"', "");
    let status = command.status().with_context(|| format!("cannot run {shown}"))?;
    if !status.success() {
        bail!("{shown} failed ({status})");
    }
    Ok(())
}

fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

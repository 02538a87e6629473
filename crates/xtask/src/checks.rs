//! `cargo xtask check`: format, lints and dependencies.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};

use crate::build;

/// Version of cargo-deny to install if it is missing.
const CARGO_DENY: &str = "0.20.2";

/// Runs all checks; stops at the first failure.
pub(crate) fn run(root: &Path) -> Result<()> {
    build::run(build::cargo(root).args(["fmt", "--all", "--check"]))?;
    if builds_are_linted() {
        println!("clippy: part of every build here (RUSTC_WORKSPACE_WRAPPER)");
    } else {
        build::run(build::cargo(root).args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ]))?;
    }
    let deny = cargo_deny(root)?;
    // Advisories require a database that is not published as a package; the other checks work offline.
    build::run(
        Command::new(deny)
            .current_dir(root)
            .args(["check", "bans", "licenses", "sources"]),
    )
}

/// Whether cargo compiles the workspace with clippy's driver and refuses warnings, as `.ci/run` has it: the build of the
/// tests lints then.
fn builds_are_linted() -> bool {
    let is = |variable: &str, value: &str| std::env::var(variable).is_ok_and(|found| found == value);
    is("RUSTC_WORKSPACE_WRAPPER", "clippy-driver") && is("RUSTFLAGS", "--deny warnings")
}

/// cargo-deny, installed or built into the cache.
fn cargo_deny(root: &Path) -> Result<std::path::PathBuf> {
    let installed = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join("cargo-deny"))
        .find(|program| program.is_file());
    if let Some(program) = installed {
        return Ok(program);
    }
    let folder = idp_cluster::Cache::from_env()?.root().join("tools");
    let program = folder.join("bin/cargo-deny");
    if !program.is_file() {
        println!("… build cargo-deny {CARGO_DENY}");
        let mut install = build::cargo(root);
        install.args([
            "install",
            "cargo-deny",
            "--locked",
            "--quiet",
            "--version",
            CARGO_DENY,
        ]);
        install
            .args(["--no-default-features", "--profile", "dev", "--root"])
            .arg(&folder);
        // It runs for a second: build time matters more than speed.
        install
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            // Somebody else's warnings are not ours to refuse.
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            .env_remove("RUSTFLAGS")
            .env("CARGO_TARGET_DIR", folder.join("target"));
        build::run(&mut install).context("cannot install cargo-deny")?;
        std::fs::remove_dir_all(folder.join("target"))?;
    }
    Ok(program)
}

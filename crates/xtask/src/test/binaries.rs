//! The workspace's test binaries.

use std::{
    io::BufRead,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::build;

/// A test binary.
#[derive(Clone, Debug)]
pub(crate) struct Binary {
    /// Name of its target, such as `cluster_alone`.
    pub(crate) target: String,
    /// Folder of its package: where cargo runs it.
    pub(crate) folder: PathBuf,
    /// The binary itself.
    pub(crate) program: PathBuf,
}

/// Builds all programs and test binaries, with cargo's own progress shown, and lists the test binaries.
///
/// All in one command, with the features of all: tests start programs of other packages too, which `cargo test` does not
/// build for them.
pub(crate) fn build(root: &Path) -> Result<Vec<Binary>> {
    let mut cargo = build::cargo(root);
    cargo.args([
        "build",
        "--workspace",
        "--all-targets",
        "--message-format=json-render-diagnostics",
    ]);
    let mut child = cargo
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo cannot be run")?;
    let messages = std::io::BufReader::new(child.stdout.take().context("cargo has no output")?);
    let mut binaries = Vec::new();
    for line in messages.lines() {
        binaries.extend(binary(&line?));
    }
    let status = child.wait()?;
    ensure!(status.success(), "cargo build failed ({status})");
    Ok(binaries)
}

/// What cargo says of something that it has built, as far as it matters here:
/// <https://doc.rust-lang.org/cargo/reference/external-tools.html#artifact-messages>
#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// The test binary of a message; most messages are about something else.
fn binary(message: &str) -> Option<Binary> {
    let artifact: Artifact = serde_json::from_str(message).ok()?;
    let program = artifact.executable.filter(|_| artifact.profile.test)?;
    Some(Binary {
        target: artifact.target.name,
        folder: artifact.manifest_path.parent()?.to_owned(),
        program,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn artifact(test: bool, executable: &Value) -> String {
        json!({
            "reason": "compiler-artifact", "package_id": "x", "manifest_path": "/w/crates/webapp/Cargo.toml",
            "target": { "kind": ["test"], "name": "cluster", "src_path": "x", "edition": "2024" },
            "profile": { "opt_level": "0", "test": test }, "features": [], "filenames": [],
            "executable": executable, "fresh": true,
        })
        .to_string()
    }

    #[test]
    fn only_test_binaries_count() {
        let found = binary(&artifact(true, &json!("/w/target/debug/deps/cluster-1"))).unwrap();
        assert_eq!(found.target, "cluster");
        assert_eq!(found.folder, Path::new("/w/crates/webapp"));
        assert!(binary(&artifact(false, &json!("/w/target/debug/idp-webapp"))).is_none());
        assert!(binary(&artifact(true, &Value::Null)).is_none());
        assert!(binary(r#"{"reason":"build-finished","success":true}"#).is_none());
    }
}

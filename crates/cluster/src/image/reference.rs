//! Image references in containerd's notation.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The first image reference of an archive, in containerd's notation.
pub(crate) fn reference_of(archive: &Path) -> Result<String> {
    let file = File::open(archive).with_context(|| format!("opening {}", archive.display()))?;
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.path()? == PathBuf::from("manifest.json") {
            let manifest: Value = serde_json::from_reader(entry)?;
            let name = manifest.pointer("/0/RepoTags/0").and_then(Value::as_str);
            return Ok(full_reference(name.context("The archive's image has no name.")?));
        }
    }
    bail!("Not a Docker archive: manifest.json is missing.")
}

/// References without a host are on docker.io, and references without a tag have the tag latest.
fn full_reference(name: &str) -> String {
    let tagged = if name.rsplit('/').next().is_some_and(|last| last.contains(':')) {
        name.to_owned()
    } else {
        format!("{name}:latest")
    };
    match tagged.split_once('/') {
        Some((host, _)) if host == "localhost" || host.contains(['.', ':']) => tagged,
        Some(_) => format!("docker.io/{tagged}"),
        None => format!("docker.io/library/{tagged}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_in_containerds_notation() {
        assert_eq!(full_reference("localhost/a:1"), "localhost/a:1");
        assert_eq!(full_reference("a"), "docker.io/library/a:latest");
        assert_eq!(full_reference("team/a:2"), "docker.io/team/a:2");
        assert_eq!(
            full_reference("host.example:5000/a"),
            "host.example:5000/a:latest"
        );
    }
}

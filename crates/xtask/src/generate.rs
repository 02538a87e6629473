//! `cargo xtask generate`: files generated from code or other files.

#[cfg(test)]
mod language;
mod messages;
mod problems;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};

/// The charts of controllers, each with its CRDs. Each CRD is in exactly one chart, or two releases would own it.
const CHARTS: [(&str, &[&str]); 4] = [
    (
        "idp-webapp",
        &["webapplications", "environments", "capabilitybindings"],
    ),
    ("idp-secrets-bridge", &["secretbindings"]),
    (
        "idp-certificate-policy",
        &["certificatebindings", "certificatepolicies", "allowedhosts"],
    ),
    ("idp-claim-broker", &["claimbindings", "claimclasses"]),
];
/// Schema of the values of a controller's chart, copied from the library chart.
const SCHEMA: &str = "values.schema.json";

/// Writes `platform/crds/`, the charts' copies of it and of `platform/operators/`, and the reference of problems.
pub(crate) fn run(root: &Path) -> Result<()> {
    for (path, content) in files(root)? {
        let full = root.join(&path);
        if let Some(folder) = full.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&full, content).with_context(|| format!("cannot write {}", full.display()))?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

/// All generated files: path within the repository, and content.
fn files(root: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut files = Vec::new();
    for (name, content) in idp_api::generated::files().map_err(|error| anyhow!("{error}"))? {
        let charts = CHARTS
            .iter()
            .filter(|(_, kinds)| kinds.iter().any(|kind| name == format!("{kind}.idp.dev.yaml")));
        let charts: Vec<_> = charts.map(|(chart, _)| *chart).collect();
        ensure!(
            charts.len() == 1,
            "{name} must be in exactly one chart, and CHARTS in crates/xtask/src/generate.rs lists {charts:?}"
        );
        files.push((
            Path::new("charts").join(charts[0]).join("crds").join(&name),
            content.clone(),
        ));
        files.push((Path::new("platform/crds").join(name), content));
    }
    for (chart, _) in CHARTS {
        files.extend(copies(root, chart)?);
    }
    files.push((PathBuf::from(problems::PATH), problems::page(root)?));
    Ok(files)
}

/// Copies for a chart, because Helm cannot read files outside the chart's folder.
fn copies(root: &Path, chart: &str) -> Result<Vec<(PathBuf, String)>> {
    let (operator, folder) = (
        Path::new("platform/operators").join(chart),
        Path::new("charts").join(chart),
    );
    let mut copies = vec![
        (operator.join("rbac.yaml"), folder.join("files/rbac.yaml")),
        (
            Path::new("charts/idp-library/files").join(SCHEMA),
            folder.join(SCHEMA),
        ),
    ];
    let alerts = operator.join("alerts.yaml");
    if root.join(&alerts).exists() {
        copies.push((alerts, folder.join("files/alerts.yaml")));
    }
    let read = |(from, to): (PathBuf, PathBuf)| {
        let content =
            std::fs::read_to_string(root.join(&from)).with_context(|| from.display().to_string())?;
        Ok((to, content))
    };
    copies.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    pub(super) fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
    }

    #[test]
    fn files_are_current() {
        for (path, expected) in files(root()).unwrap() {
            let found = std::fs::read_to_string(root().join(&path)).unwrap_or_default();
            let path = path.display();
            assert!(
                found == expected,
                "{path} is not current: run `cargo xtask generate`"
            );
        }
    }

    #[test]
    fn charts_contain_only_generated_files() {
        let known: BTreeSet<_> = files(root()).unwrap().into_iter().map(|(path, _)| path).collect();
        for (chart, _) in CHARTS {
            for folder in ["crds", "files"] {
                let folder = Path::new("charts").join(chart).join(folder);
                for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
                    let path = folder.join(entry.unwrap().file_name());
                    assert!(known.contains(&path), "{} is not generated", path.display());
                }
            }
        }
    }

    #[test]
    fn every_controller_with_rules_has_a_chart() {
        for entry in std::fs::read_dir(root().join("platform/operators")).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(
                CHARTS.iter().any(|(chart, _)| name == *chart),
                "{name:?} has no chart"
            );
        }
    }
}

//! The golden cases of the repository, `tests/golden/cases/NAME.yaml`.

use std::path::{Path, PathBuf};

use idp_api::{Environment, WebApplication, manifests};

/// The folder with the cases, and what is expected of them.
pub fn folder() -> PathBuf {
    crate::root().join("tests/golden")
}

/// Name, application and Environment of each case; one that brings no Environment gets the common one.
///
/// # Panics
/// When a file is missing or does not fit: that is a broken case.
pub fn cases() -> Vec<(String, WebApplication, Environment)> {
    let common: Environment = load(&folder().join("environment.yaml"), "Environment").remove(0);
    let entries = std::fs::read_dir(folder().join("cases")).expect("there are cases");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a case can be read").path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| {
            let name = file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let environment = load(file, "Environment").pop().unwrap_or_else(|| common.clone());
            (name, load(file, "WebApplication").remove(0), environment)
        })
        .collect()
}

fn load<T: serde::de::DeserializeOwned>(file: &Path, kind: &str) -> Vec<T> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let documents = manifests::parse(&text).and_then(|documents| manifests::typed(&documents, kind));
    documents.unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

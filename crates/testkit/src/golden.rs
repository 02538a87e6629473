//! The repository's golden cases. To add a case, add a file. With `IDP_UPDATE_GOLDEN=1` a test writes the expected files:
//! read them before you commit them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use idp_api::{Environment, WebApplication, manifests};

/// The folder with the cases of the WebApplication controller, and their expected files.
pub fn folder() -> PathBuf {
    crate::root().join("tests/golden")
}

/// Name, application and Environment of each case in [`folder`]. A case without an Environment gets the common one.
///
/// # Panics
/// When a file is missing or invalid.
pub fn cases() -> Vec<(String, WebApplication, Environment)> {
    let common: Environment = load(&folder().join("environment.yaml"), "Environment").remove(0);
    let files = files(&folder()).into_iter();
    files
        .map(|(name, file)| {
            let environment = load(&file, "Environment").pop().unwrap_or_else(|| common.clone());
            (name, load(&file, "WebApplication").remove(0), environment)
        })
        .collect()
}

/// Name and file of each case, `cases/NAME.yaml` of `folder`, sorted by name.
///
/// # Panics
/// When the folder cannot be read.
pub fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let folder = folder.join("cases");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a case can be read").path())
        .collect();
    files.sort();
    files.into_iter().map(|file| (stem(&file), file)).collect()
}

/// The documents of a kind in a file.
///
/// # Panics
/// When the file is missing or a document is invalid.
pub fn load<T: serde::de::DeserializeOwned>(file: &Path, kind: &str) -> Vec<T> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let documents = manifests::parse(&text).and_then(|documents| manifests::typed(&documents, kind));
    documents.unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Compares results, each a name and a text, with `expected/NAME.yaml` of `folder`. Returns their number.
///
/// # Panics
/// When a result differs, or an expected file has no result.
pub fn check(folder: &Path, became: impl IntoIterator<Item = (String, String)>) -> usize {
    let update = std::env::var_os("IDP_UPDATE_GOLDEN").is_some();
    let expected = folder.join("expected");
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for (name, text) in became {
        let file = expected.join(format!("{name}.yaml"));
        if update {
            std::fs::create_dir_all(&expected).expect("the folder can be created");
            std::fs::write(&file, &text).expect("the expected file can be written");
        }
        let before = std::fs::read_to_string(&file).unwrap_or_default();
        if text != before {
            let differs = text
                .lines()
                .zip(before.lines())
                .position(|(one, other)| one != other);
            let line = differs.unwrap_or_else(|| text.lines().count().min(before.lines().count())) + 1;
            wrong.push(format!("{name}: differs from line {line}"));
        }
        seen.insert(name);
    }
    for entry in std::fs::read_dir(&expected).expect("the folder of expected files exists") {
        let name = stem(&entry.expect("an expected file can be read").path());
        if !seen.contains(&name) {
            wrong.push(format!("{}/{name}.yaml has no case", expected.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nIDP_UPDATE_GOLDEN=1 writes what is rendered now",
        wrong.join("\n")
    );
    seen.len()
}

fn stem(file: &Path) -> String {
    file.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

//! The greeting: the service's configuration file.

use std::{fs, io, path::PathBuf};

use serde::Deserialize;

/// The text of the page.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Greeting {
    /// The headline.
    pub(crate) title: String,
    /// A sentence below it.
    pub(crate) message: String,
}

impl Default for Greeting {
    fn default() -> Self {
        Self {
            title: "Hello".to_owned(),
            message: "No greeting file is mounted; this is the built-in one.".to_owned(),
        }
    }
}

/// Why the greeting cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GreetingError {
    /// The file cannot be read.
    #[error("greeting file {0}: {1}")]
    Read(PathBuf, #[source] io::Error),
    /// The file is not a greeting.
    #[error("greeting file {0} is not {{\"title\": ..., \"message\": ...}}: {1}")]
    Parse(PathBuf, #[source] serde_json::Error),
}

impl Greeting {
    /// Reads the file. A missing file is an error only if `GREETING_FILE` is set, so that a typo does not go unnoticed.
    pub(crate) fn read((path, asked): &(PathBuf, bool)) -> Result<Self, GreetingError> {
        match fs::read(path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| GreetingError::Parse(path.clone(), error))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !asked => Ok(Self::default()),
            Err(error) => Err(GreetingError::Read(path.clone(), error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_was_asked_for_must_exist() {
        let nowhere = PathBuf::from("/nonexistent/greeting.json");
        assert_eq!(
            Greeting::read(&(nowhere.clone(), false)).unwrap(),
            Greeting::default()
        );
        assert!(matches!(
            Greeting::read(&(nowhere, true)),
            Err(GreetingError::Read(..))
        ));
    }

    #[test]
    fn a_file_that_is_no_greeting_is_refused() {
        let manifest = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        assert!(matches!(
            Greeting::read(&(manifest, true)),
            Err(GreetingError::Parse(..))
        ));
    }
}

//! Helm, for whoever renders or installs charts. No cluster of ours needs it.

use std::path::PathBuf;

use anyhow::Result;

use crate::build::modules::HELM;
use crate::{Cache, Progress};

/// The program `helm`, built into the cache where it is not there yet.
///
/// # Errors
/// When there is no place for the cache, or the build fails.
pub async fn helm(progress: &dyn Progress) -> Result<PathBuf> {
    let folder = HELM.ensure(&Cache::from_env()?, progress).await?;
    Ok(HELM.program(&folder))
}

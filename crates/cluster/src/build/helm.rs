//! Helm, to render or install charts. Clusters do not need it.

use std::path::PathBuf;

use anyhow::Result;

use crate::build::modules::HELM;
use crate::{Cache, Progress};

/// The program `helm`, built into the cache if needed.
///
/// # Errors
/// When the cache folder cannot be located, or the build fails.
pub async fn helm(progress: &dyn Progress) -> Result<PathBuf> {
    let folder = HELM.ensure(&Cache::from_env()?, progress).await?;
    Ok(HELM.program(&folder))
}

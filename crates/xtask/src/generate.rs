//! `cargo xtask generate`: files that are made from code.

use std::path::Path;

use anyhow::{Context, Result, anyhow};

/// Writes `platform/crds/`.
pub(crate) fn run(root: &Path) -> Result<()> {
    let folder = root.join("platform/crds");
    std::fs::create_dir_all(&folder)?;
    for (name, content) in idp_api::generated::files().map_err(|error| anyhow!("{error}"))? {
        let path = folder.join(name);
        std::fs::write(&path, content).with_context(|| format!("{} cannot be written", path.display()))?;
        println!("wrote {}", path.strip_prefix(root).unwrap_or(&path).display());
    }
    Ok(())
}

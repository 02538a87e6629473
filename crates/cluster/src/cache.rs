//! The cache folder outside the work tree: everything built or downloaded once, and file locks.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};

/// The folder that holds everything this crate builds, downloads and runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `$IDP_CACHE`, else `$XDG_CACHE_HOME/idp`, else `~/.cache/idp`.
    ///
    /// # Errors
    /// When none of the three variables is set, or the current folder is gone.
    pub fn from_env() -> Result<Self> {
        let var = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let root = var("IDP_CACHE")
            .or_else(|| var("XDG_CACHE_HOME").map(|dir| dir.join("idp")))
            .or_else(|| var("HOME").map(|dir| dir.join(".cache/idp")))
            .context("Cannot locate the cache folder. Set IDP_CACHE, XDG_CACHE_HOME or HOME.")?;
        // Daemons have another current folder, so the path must be absolute.
        Ok(Self {
            root: std::path::absolute(root)?,
        })
    }

    /// A cache at a given folder.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn clusters(&self) -> PathBuf {
        self.root.join("clusters")
    }

    pub(crate) fn dir(&self, name: &str) -> Result<PathBuf> {
        let dir = self.root.join(name);
        fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        Ok(dir)
    }
}

/// A file lock, held until dropped, or until the process that holds it ends.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "closing the file is what releases the lock")] File);

impl Lock {
    /// Waits for the lock at `path` without blocking the async runtime.
    pub(crate) async fn acquire(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)?;
            flock(&file, FlockOperation::LockExclusive)?;
            Ok::<_, std::io::Error>(Self(file))
        })
        .await?
        .context("locking a file")
    }
}

/// Replaces a file atomically: readers see either the old content or the new. `mode` is octal.
pub(crate) fn write_atomic(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let write = || {
        let parent = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent)?;
        let temporary = parent.join(format!(
            ".{}.{}",
            path.file_name().unwrap_or_default().to_string_lossy(),
            std::process::id()
        ));
        let _ = fs::remove_file(&temporary);
        let mut file = File::options()
            .create_new(true)
            .write(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(content)?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

//! Python programs, each installed once in its own virtual environment.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::build::apt::{apt_install, can_install_packages};
use crate::build::go::{hex, run_reporting};
use crate::cache::{Cache, Lock};
use crate::progress::{Progress, step};

/// Written last: marks a complete installation.
const COMPLETE: &str = "complete";

/// The oldest supported Python.
const OLDEST: (u32, u32) = (3, 10);

/// A virtual environment with pinned packages.
pub(crate) struct Environment {
    pub(crate) name: &'static str,
    /// The content of a `requirements.txt`.
    pub(crate) requirements: &'static str,
}

/// Whether python3 can create virtual environments. On Debian this needs a separate package.
async fn can_make_environments() -> bool {
    let mut look = Command::new("python3");
    look.args(["-c", "import venv, ensurepip"]).stderr(Stdio::null());
    look.status().await.is_ok_and(|status| status.success())
}

impl Environment {
    /// The environment's Python. Installs the packages if needed. The folder's name contains a hash of the
    /// requirements, and Python's version.
    pub(crate) async fn ensure(&self, cache: &Cache, progress: &dyn Progress) -> Result<PathBuf> {
        let version = self.version().await?;
        let root = cache.dir("python")?;
        let folder = root.join(format!(
            "{}-{}-{}.{}",
            self.name,
            self.hash(),
            version.0,
            version.1
        ));
        let python = folder.join("bin/python3");
        if folder.join(COMPLETE).exists() {
            return Ok(python);
        }
        let _lock = Lock::acquire(&root.join(format!("{}.lock", self.name))).await?;
        if folder.join(COMPLETE).exists() {
            return Ok(python); // another process installed it meanwhile
        }
        let title = format!("install {}", self.name);
        step(progress, &title, async {
            // Removes an interrupted installation. It cannot be renamed into place: its scripts contain its path.
            let _ = fs::remove_dir_all(&folder);
            if !can_make_environments().await && can_install_packages() {
                apt_install(&["python3-venv"]).await?;
            }
            let mut venv = Command::new("python3");
            venv.args(["-m", "venv"]).arg(&folder);
            run_reporting(quiet(venv), &title, progress).await.with_context(
                || "Cannot create a Python virtual environment. On Debian, install the package python3-venv.",
            )?;
            let requirements = folder.join("requirements.txt");
            fs::write(&requirements, self.requirements)?;
            let mut pip = Command::new(&python);
            pip.args([
                "-m",
                "pip",
                "install",
                "--no-input",
                "--disable-pip-version-check",
                "-r",
            ]);
            pip.arg(&requirements);
            run_reporting(quiet(pip), &title, progress).await?;
            Ok(fs::write(folder.join(COMPLETE), "")?)
        })
        .await?;
        Ok(python)
    }

    async fn version(&self) -> Result<(u32, u32)> {
        let name = self.name;
        let output = Command::new("python3")
            .args(["-c", "import sys; print(*sys.version_info[:2])"])
            .current_dir("/")
            .output()
            .await
            .with_context(|| format!("Cannot install {name}: python3 is not on the PATH."))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = parse(&text).with_context(|| {
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            format!("Cannot read the version of python3: {text}{errors}")
        })?;
        if version < OLDEST {
            bail!(
                "{name} needs Python {}.{} or newer. python3 on the PATH is {}.{}.",
                OLDEST.0,
                OLDEST.1,
                version.0,
                version.1
            );
        }
        Ok(version)
    }

    fn hash(&self) -> String {
        hex(&Sha256::digest(self.requirements))[..12].to_owned()
    }
}

fn parse(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn quiet(mut command: Command) -> Command {
    command.current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parse("3 9\n"), Some((3, 9)));
        assert!(parse("3 9").unwrap() < OLDEST && parse("3 13").unwrap() > OLDEST);
        assert_eq!(parse("Python 2.7"), None);
    }
}

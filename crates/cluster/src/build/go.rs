//! Building Go programs once, from sources that are part of this crate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::build::versions::KUBERNETES;
use crate::cache::{Cache, Lock};
use crate::process;
use crate::progress::{Event, Progress, step};

/// A small Go module that builds one program.
pub(crate) struct GoModule {
    /// The program's file name.
    pub(crate) name: &'static str,
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// The import path of the main package.
    pub(crate) package: &'static str,
    /// Whether to set the Kubernetes version that the program reports.
    pub(crate) kubernetes_version: bool,
    /// Folders of the main package's module whose YAML files are copied to the program's folder.
    pub(crate) assets: &'static [&'static str],
    /// A dependency with replaced files: those of `files` below `upstream/`.
    pub(crate) upstream: Option<Upstream>,
}

/// A published module that is built from a copy: `go.mod` has `replace … => ./upstream`.
pub(crate) struct Upstream {
    pub(crate) module: &'static str,
    pub(crate) version: &'static str,
    /// The folders to copy, besides `go.mod`.
    pub(crate) folders: &'static [&'static str],
}

impl GoModule {
    /// The folder of the program. Builds the program if needed.
    ///
    /// The folder's name contains a hash of the sources and the compiler's version. A changed `go.mod` or a newer
    /// compiler builds a new folder; programs that run keep theirs.
    pub(crate) async fn ensure(&self, cache: &Cache, progress: &dyn Progress) -> Result<PathBuf> {
        let bin = cache.dir("bin")?;
        let stem = format!("{}-{}", self.name, self.source_hash());
        let Some(go) = go_version().await else {
            // Without a compiler, the build of any earlier compiler will do.
            return built_before(&bin, &stem).with_context(|| {
                format!(
                    "Cannot build {}: `go` is not on the PATH. Install Go 1.26 or newer.",
                    self.name
                )
            });
        };
        let target = bin.join(format!("{stem}-{go}"));
        if target.join(self.name).exists() {
            return Ok(target);
        }
        let _lock = Lock::acquire(&bin.join(format!("{}.lock", self.name))).await?;
        if target.join(self.name).exists() {
            return Ok(target); // another process built it meanwhile
        }
        let title = format!("build {}", self.name);
        step(progress, &title, self.build(&bin, &target, &title, progress)).await?;
        Ok(target)
    }

    /// The program itself.
    pub(crate) fn program(&self, dir: &Path) -> PathBuf {
        dir.join(self.name)
    }

    async fn build(&self, bin: &Path, target: &Path, title: &str, progress: &dyn Progress) -> Result<()> {
        let work = tempfile::Builder::new().prefix(".build-").tempdir_in(bin)?;
        let sources = work.path().join("src");
        let output = work.path().join("out");
        fs::create_dir_all(&sources)?;
        fs::create_dir_all(&output)?;
        if let Some(upstream) = &self.upstream {
            upstream.copy(&sources.join("upstream")).await?;
        }
        for (name, content) in self.files {
            let file = sources.join(name);
            fs::create_dir_all(file.parent().unwrap_or(&sources))?;
            fs::write(file, content)?;
        }
        let mut build = go(&sources);
        // No -trimpath: with it, programs share a compiled package only if they require the same version of its module
        // in the first place, not if a `replace` leads to the same one. Debugging data would take the compiler a
        // twelfth of its time, and the linker drops them.
        build.args(["build", "-gcflags=all=-dwarf=false", "-ldflags"]);
        build.args([&self.linker_flags(), "-o"]);
        build.arg(output.join(self.name)).arg(self.package);
        run_reporting(build, title, progress).await?;
        if !self.assets.is_empty() {
            self.copy_assets(&sources, &output).await?;
        }
        // Atomic, so that a folder with the final name is always complete.
        fs::rename(&output, target).with_context(|| format!("publishing {}", target.display()))
    }

    async fn copy_assets(&self, sources: &Path, output: &Path) -> Result<()> {
        let listed = go(sources)
            .args(["list", "-f", "{{.Module.Dir}}", self.package])
            .output()
            .await?;
        let module = PathBuf::from(String::from_utf8(listed.stdout)?.trim());
        for folder in self.assets {
            for entry in fs::read_dir(module.join(folder)).with_context(|| format!("reading {folder}"))? {
                let path = entry?.path();
                let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                    continue;
                };
                if name.ends_with(".yaml") && name != "kustomization.yaml" {
                    fs::write(output.join(name), fs::read(&path)?)?;
                }
            }
        }
        Ok(())
    }

    fn linker_flags(&self) -> String {
        let mut flags = "-s -w".to_owned();
        if self.kubernetes_version {
            let minor = KUBERNETES.split('.').nth(1).unwrap_or_default();
            // Without these flags the server reports v0.0.0, which clients reject.
            for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
                flags += &format!(" -X {package}.gitVersion=v{KUBERNETES} -X {package}.gitMajor=1");
                flags += &format!(" -X {package}.gitMinor={minor} -X {package}.gitTreeState=clean");
            }
        }
        flags
    }

    fn source_hash(&self) -> String {
        let mut hash = Sha256::new();
        for (name, content) in self.files {
            hash.update(name);
            hash.update([0]);
            hash.update(content);
            hash.update([0]);
        }
        hash.update(self.linker_flags());
        hex(&hash.finalize())[..12].to_owned()
    }
}

impl Upstream {
    async fn copy(&self, to: &Path) -> Result<()> {
        let from = download_module(self.module, self.version).await?;
        fs::create_dir_all(to)?;
        fs::write(to.join("go.mod"), fs::read(from.join("go.mod"))?)?;
        for folder in self.folders {
            copy_go_files(&from.join(folder), &to.join(folder))
                .with_context(|| format!("copying {folder} of {}", self.module))?;
        }
        Ok(())
    }
}

/// Copies all files except tests. Reads and writes them, because plain copies would be read-only like the module cache.
fn copy_go_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let copy = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_go_files(&path, &copy)?;
        } else if !path.to_string_lossy().ends_with("_test.go") {
            fs::write(copy, fs::read(&path)?)?;
        }
    }
    Ok(())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn built_before(bin: &Path, stem: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(bin).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| {
        path.is_dir()
            && path
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with(stem))
    })
}

/// The `go` command in `dir`, independent of the caller's Go workspace.
fn go(dir: &Path) -> Command {
    let mut command = Command::new("go");
    // PWD, because go would otherwise use the caller's.
    command
        .current_dir(dir)
        .env("PWD", dir)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .envs(process::go::variables());
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn go_version() -> Option<String> {
    let output = Command::new("go")
        .args(["env", "GOVERSION"])
        .current_dir("/")
        .output()
        .await
        .ok()?;
    let version = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !version.is_empty()).then_some(version)
}

/// Runs a command and reports each line of its stderr. If it fails, the error contains the last lines.
pub(crate) async fn run_reporting(mut command: Command, title: &str, progress: &dyn Progress) -> Result<()> {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{title}: cannot run the command"))?;
    let mut last = std::collections::VecDeque::new();
    if let Some(errors) = child.stderr.take() {
        let mut lines = BufReader::new(errors).lines();
        while let Some(line) = lines.next_line().await? {
            progress.report(Event::Line {
                step: title,
                line: &line,
            });
            if last.len() == 20 {
                last.pop_front();
            }
            last.push_back(line);
        }
    }
    if child.wait().await?.success() {
        return Ok(());
    }
    bail!("{title} failed:\n{}", Vec::from(last).join("\n"))
}

/// Downloads a Go module and returns its folder.
pub(crate) async fn download_module(module: &str, version: &str) -> Result<PathBuf> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Downloaded {
        dir: Option<PathBuf>,
        error: Option<String>,
    }
    // In an empty folder: inside a module, go would read that module's requirements.
    let outside = tempfile::tempdir()?;
    let output = go(outside.path())
        .env("GOFLAGS", "-mod=mod")
        .args(["mod", "download", "-json", &format!("{module}@{version}")])
        .output()
        .await
        .context("Cannot run go. Install Go 1.26 or newer.")?;
    let answer: Downloaded = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("go mod download: {}", String::from_utf8_lossy(&output.stderr)))?;
    match answer {
        Downloaded {
            dir: Some(dir),
            error: None,
        } => Ok(dir),
        Downloaded { error, .. } => bail!("downloading {module}@{version}: {}", error.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use crate::build::modules::{EMBEDDED, EXTERNAL_SECRETS, KWOK, PAUSE};
    use crate::build::versions::KUBERNETES;

    #[test]
    fn the_reported_version_is_the_required_one() {
        let (_, go_mod) = EMBEDDED.files[0];
        assert!(go_mod.contains(&format!("k8s.io/kubernetes v{KUBERNETES}")));
        assert!(EMBEDDED.linker_flags().contains("gitMinor=36"));
    }

    #[test]
    fn the_copied_release_is_the_required_one() {
        let (_, go_mod) = EXTERNAL_SECRETS.files[0];
        let upstream = EXTERNAL_SECRETS.upstream.as_ref().unwrap();
        assert!(go_mod.contains(&format!("{} {}", upstream.module, upstream.version)));
        assert!(go_mod.contains(&format!("replace {} => ./upstream", upstream.module)));
    }

    #[test]
    fn the_hash_depends_on_the_sources() {
        assert_ne!(EMBEDDED.source_hash(), KWOK.source_hash());
        assert_eq!(PAUSE.source_hash().len(), 12);
    }
}

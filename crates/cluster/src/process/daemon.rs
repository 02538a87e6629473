//! Starting daemons, and waiting until they are ready.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::process::identity::Identity;

/// The number of log lines in a failed component's error.
const TAIL_LINES: usize = 20;

/// A program to keep running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Daemon {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    /// Environment variables, in addition to this process's.
    pub(crate) env: Vec<(String, String)>,
    /// Its network namespace; the host's if absent.
    pub(crate) netns: Option<PathBuf>,
    /// Whether it needs the user's proxy settings, as it downloads from other networks.
    pub(crate) uses_proxy: bool,
    /// Where it listens, for people to read.
    pub(crate) endpoint: String,
    /// The URL of its health check, for [`crate::process::http::is_healthy`].
    pub(crate) health: Option<String>,
}

impl Daemon {
    /// Starts it in its own session, so that it outlives the terminal. Appends its output to `log`.
    pub(crate) fn spawn(&self, log: &Path) -> Result<Identity> {
        let start = || -> Result<Identity> {
            let output = File::options().create(true).append(true).open(log)?;
            // setsid and nsenter exec the program, so this is the program's process ID.
            let mut command = tokio::process::Command::new("setsid");
            if let Some(netns) = &self.netns {
                command
                    .arg("nsenter")
                    .arg(format!("--net={}", netns.display()))
                    .arg("--");
            }
            command.arg(&self.program).args(&self.args).current_dir("/");
            command.envs(self.env.iter().map(|(name, value)| (name, value)));
            command
                .stdin(Stdio::null())
                .stdout(output.try_clone()?)
                .stderr(output);
            if !self.uses_proxy {
                for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
                    command.env_remove(name).env_remove(name.to_lowercase());
                }
            }
            let child = command
                .spawn()
                .context("Cannot run setsid. Install util-linux.")?;
            // Not waited for: tokio reaps it if it ends before this process.
            let pid = i32::try_from(child.id().context("It ended immediately.")?)?;
            Identity::of(pid).context("It ended immediately.")
        };
        start().with_context(|| format!("Cannot start {}. Its log: {}", self.name, log.display()))
    }
}

/// Waits until `ready` returns true. Fails early if the process ends. The error contains the end of its log.
pub(crate) async fn wait_ready<F: Future<Output = bool>>(
    name: &str,
    process: &Identity,
    log: &Path,
    limit: Duration,
    ready: impl Fn() -> F,
) -> Result<()> {
    let start = Instant::now();
    loop {
        if ready().await {
            return Ok(());
        }
        if !process.alive() {
            bail!(
                "{name} ended during its start. The end of its log:\n{}\nlog: {}",
                tail(log),
                log.display()
            );
        }
        if start.elapsed() > limit {
            bail!(
                "{name} is not ready after {} s. The end of its log:\n{}\nlog: {}",
                limit.as_secs(),
                tail(log),
                log.display()
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The end of a log.
pub(crate) fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(32 * 1024)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_else(|error| format!("(cannot read the log: {error})"));
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::identity::stop;

    fn shell(script: &str) -> Daemon {
        Daemon {
            name: "shell".into(),
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: vec![("GREETING".into(), "hello".into())],
            netns: None,
            uses_proxy: false,
            endpoint: String::new(),
            health: None,
        }
    }

    #[tokio::test]
    async fn a_daemon_starts_and_stops() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let process = shell("echo $GREETING; sleep 60").spawn(&log).unwrap();
        wait_ready("shell", &process, &log, Duration::from_secs(5), || async {
            tail(&log) == "hello"
        })
        .await
        .unwrap();
        stop(std::slice::from_ref(&process), Duration::from_secs(2)).await;
        assert!(!process.alive());
    }

    #[tokio::test]
    async fn a_daemon_that_fails_shows_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let process = shell("echo cannot bind; sleep 0.2").spawn(&log).unwrap();
        let failed = wait_ready("etcd", &process, &log, Duration::from_secs(5), || async { false })
            .await
            .unwrap_err();
        let text = failed.to_string();
        assert!(text.contains("etcd ended") && text.contains("cannot bind") && text.contains("log: "));
    }
}

//! Starting daemons that outlive us, and waiting until they are ready.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::process::identity::Identity;

/// How many lines of its log a failed component shows.
const TAIL_LINES: usize = 20;

/// A program to keep running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Daemon {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    /// Variables that it gets besides ours.
    pub(crate) env: Vec<(String, String)>,
    /// The network namespace it lives in; the host's when absent.
    pub(crate) netns: Option<PathBuf>,
    /// Whether it fetches things from outside, so that the user's proxy settings concern it.
    pub(crate) uses_proxy: bool,
    /// Where it can be reached, for people.
    pub(crate) endpoint: String,
    /// What [`crate::process::http::is_well`] asks to see whether it is ready; absent where that is seen in another way.
    pub(crate) health: Option<String>,
}

impl Daemon {
    /// Starts it in a session of its own, so that it outlives the terminal; appends its output to `log`.
    pub(crate) fn spawn(&self, log: &Path) -> Result<Identity> {
        let start = || -> Result<Identity> {
            let output = File::options().create(true).append(true).open(log)?;
            // setsid and nsenter replace themselves by the program: its pid is the one we get.
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
                .context("setsid and nsenter (util-linux) are needed")?;
            // Dropped, not waited for: tokio reaps it should it end while we are still here.
            let pid = i32::try_from(child.id().context("it ended at once")?)?;
            Identity::of(pid).context("it ended at once")
        };
        start().with_context(|| format!("starting {} failed; its log: {}", self.name, log.display()))
    }
}

/// Waits until `ready` says so; fails early when the process ends, showing what it wrote last.
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
                "{name} ended while starting. Its last lines:\n{}\nlog: {}",
                tail(log),
                log.display()
            );
        }
        if start.elapsed() > limit {
            bail!(
                "{name} is not ready after {} s. Its last lines:\n{}\nlog: {}",
                limit.as_secs(),
                tail(log),
                log.display()
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The end of a log, as shown with a failure.
pub(crate) fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(32 * 1024)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_else(|error| format!("(no log: {error})"));
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

//! Starting daemons that outlive us, and stopping exactly those and no others.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// How many lines of its log a failed component shows.
const TAIL_LINES: usize = 20;

/// A process that cannot be mistaken for another one that got the same number later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    /// Clock ticks from boot to the start of the process.
    started: u64,
    /// Which boot: ticks count from zero again after the next one.
    boot: String,
}

impl Identity {
    /// The process that has this number now.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (state, started) = parse_stat(&stat)?;
        // A zombie holds nothing any more: it only waits for its parent to look.
        if matches!(state, 'Z' | 'X') {
            return None;
        }
        Some(Self {
            pid,
            started,
            boot: boot_id()?,
        })
    }

    pub(crate) fn alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid)
            && self.alive()
        {
            // It may have ended just now, which is what was wanted.
            let _ = kill_process(pid, signal);
        }
    }
}

/// State letter and start time of a `/proc/<pid>/stat` line. The name, in brackets, may hold anything.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // Start time is field 22 of the line; the state is field 3.
    let started = fields.nth(18)?.parse().ok()?;
    Some((state, started))
}

fn boot_id() -> Option<String> {
    Some(
        fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .ok()?
            .trim()
            .to_owned(),
    )
}

/// A program to keep running.
#[derive(Debug, Clone)]
pub(crate) struct Daemon {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    /// The network namespace it lives in; the host's when absent.
    pub(crate) netns: Option<PathBuf>,
    /// Whether it fetches things from outside, so that the user's proxy settings concern it.
    pub(crate) uses_proxy: bool,
    /// Where it can be reached, for people.
    pub(crate) endpoint: String,
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

/// Asks each process to end, all at once, and after `grace` insists.
pub(crate) async fn stop(processes: &[Identity], grace: Duration) {
    for process in processes {
        process.signal(Signal::TERM);
    }
    let start = Instant::now();
    while processes.iter().any(Identity::alive) {
        if start.elapsed() > grace {
            for process in processes {
                process.signal(Signal::KILL);
            }
        }
        if start.elapsed() > grace + Duration::from_secs(5) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_of_a_process_with_brackets_in_its_name() {
        let line = "42 (a) S b) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 9876 20 21";
        assert_eq!(parse_stat(line), Some(('R', 9876)));
    }

    #[test]
    fn a_reused_number_is_another_process() {
        let own = i32::try_from(std::process::id()).unwrap();
        let identity = Identity::of(own).unwrap();
        assert!(identity.alive());
        assert!(
            !Identity {
                started: identity.started + 1,
                ..identity.clone()
            }
            .alive()
        );
        assert!(
            !Identity {
                boot: "an earlier one".into(),
                ..identity
            }
            .alive()
        );
    }

    #[tokio::test]
    async fn a_daemon_starts_and_stops() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let daemon = Daemon {
            name: "shell",
            program: "/bin/sh".into(),
            args: vec!["-c".into(), "echo hello; sleep 60".into()],
            netns: None,
            uses_proxy: false,
            endpoint: String::new(),
        };
        let process = daemon.spawn(&log).unwrap();
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
        fs::write(&log, "cannot bind\n").unwrap();
        let gone = Identity {
            pid: 1,
            started: u64::MAX,
            boot: String::new(),
        };
        let failed = wait_ready("etcd", &gone, &log, Duration::from_secs(5), || async { false })
            .await
            .unwrap_err();
        let text = failed.to_string();
        assert!(text.contains("etcd ended") && text.contains("cannot bind") && text.contains("log: "));
    }
}

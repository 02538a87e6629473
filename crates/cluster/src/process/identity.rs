//! Identifying processes unambiguously, and stopping them.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// A process, distinct from a later one with the same ID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    /// Clock ticks from boot to the start of the process.
    started: u64,
    /// The boot's ID, as ticks start from zero at each boot.
    boot: String,
}

impl Identity {
    /// The process with this ID now.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (state, started) = parse_stat(&stat)?;
        // A zombie counts as ended: only its exit status remains.
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

    /// Processor time that it has used since its start, in user and kernel mode; zero once it has ended.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let ticks = parse_cpu(&stat).filter(|_| self.alive()).unwrap_or_default();
        Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid)
            && self.alive()
        {
            // An error means that it has just ended.
            let _ = kill_process(pid, signal);
        }
    }
}

/// State letter and start time of a `/proc/<pid>/stat` line. The name in brackets may contain any character.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // Start time is field 22 of the line; the state is field 3.
    let started = fields.nth(18)?.parse().ok()?;
    Some((state, started))
}

/// Clock ticks in user and kernel mode of a `/proc/<pid>/stat` line: fields 14 and 15.
fn parse_cpu(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some(user + kernel)
}

fn boot_id() -> Option<String> {
    Some(
        fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .ok()?
            .trim()
            .to_owned(),
    )
}

/// Terminates all processes, and kills those that still run after `grace`.
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
        assert_eq!(parse_cpu(line), Some(11 + 12));
    }

    #[test]
    fn a_reused_id_is_another_process() {
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
                boot: "another".into(),
                ..identity
            }
            .alive()
        );
    }
}

//! Where the minutes of a test run go: time and processor by phase, by test binary and by cluster.

use std::{
    fmt::Write as _,
    fs,
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

/// What was measured so far. Binaries report to it from several tasks.
#[derive(Default)]
pub(crate) struct Times {
    phases: Mutex<Vec<Phase>>,
    binaries: Mutex<Vec<(String, Duration)>>,
}

/// A step that everything else waits for.
struct Phase {
    name: &'static str,
    elapsed: Duration,
    /// Share of the processors that was busy, by any process of the machine.
    busy: f64,
}

/// A phase that has begun.
pub(crate) struct Running {
    name: &'static str,
    start: Instant,
    processors: Processors,
}

impl Running {
    /// Begins a phase.
    pub(crate) fn start(name: &'static str) -> Self {
        Self {
            name,
            start: Instant::now(),
            processors: Processors::now().unwrap_or_default(),
        }
    }
}

impl Times {
    /// Ends a phase.
    pub(crate) fn end(&self, phase: &Running) {
        let busy = Processors::now().unwrap_or_default().busy_since(phase.processors);
        self.phases.lock().expect("no holder panics").push(Phase {
            name: phase.name,
            elapsed: phase.start.elapsed(),
            busy,
        });
    }

    /// Records a test binary.
    pub(crate) fn binary(&self, name: String, elapsed: Duration) {
        self.binaries
            .lock()
            .expect("no holder panics")
            .push((name, elapsed));
    }

    /// The table, longest first. `clusters` must still run: their processes are read.
    pub(crate) fn table(&self, clusters: &[&str]) -> String {
        let mut table = String::new();
        for phase in &*self.phases.lock().expect("no holder panics") {
            let (seconds, busy) = (phase.elapsed.as_secs_f64(), phase.busy * 100.0);
            let _ = writeln!(
                table,
                "{seconds:>8.1} s  {:<44} processors {busy:.0} % busy",
                phase.name
            );
        }
        let mut binaries = self.binaries.lock().expect("no holder panics").clone();
        binaries.sort_by_key(|(_, elapsed)| std::cmp::Reverse(*elapsed));
        for (name, elapsed) in binaries.iter().filter(|(_, elapsed)| elapsed.as_secs() > 0) {
            let _ = writeln!(table, "{:>8.1} s    {name}", elapsed.as_secs_f64());
        }
        for cluster in clusters {
            let components = idp_cluster::status(cluster).unwrap_or_default();
            let total: Duration = components.iter().map(|component| component.cpu).sum();
            let mut parts: Vec<_> = components
                .iter()
                .map(|component| (component.cpu.as_secs_f64(), component.name.as_str()))
                .collect();
            parts.sort_by(|a, b| b.0.total_cmp(&a.0));
            let shown: Vec<String> = parts
                .iter()
                .take(5)
                .map(|(seconds, name)| format!("{name} {seconds:.0}"))
                .collect();
            let _ = writeln!(
                table,
                "{:>8.1} s CPU  cluster {cluster}: {}",
                total.as_secs_f64(),
                shown.join(", ")
            );
        }
        table
    }
}

/// Clock ticks of all processors since boot.
#[derive(Clone, Copy, Default)]
struct Processors {
    all: u64,
    idle: u64,
}

impl Processors {
    fn now() -> Result<Self> {
        Self::parse(&fs::read_to_string("/proc/stat")?)
    }

    /// The first line of `/proc/stat`: user, nice, system, idle, iowait and others.
    fn parse(stat: &str) -> Result<Self> {
        let line = stat.lines().next().context("/proc/stat is empty")?;
        let ticks: Vec<u64> = line
            .split_ascii_whitespace()
            .skip(1)
            .map_while(|field| field.parse().ok())
            .collect();
        Ok(Self {
            all: ticks.iter().take(8).sum(),
            idle: ticks.iter().skip(3).take(2).sum(),
        })
    }

    fn busy_since(self, earlier: Self) -> f64 {
        let all = self.all.saturating_sub(earlier.all).max(1) as f64;
        1.0 - self.idle.saturating_sub(earlier.idle) as f64 / all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_idle_is_busy() {
        let before = Processors::parse("cpu  10 0 10 70 10 0 0 0 0 0\ncpu0 1").unwrap();
        let after = Processors::parse("cpu  40 0 20 110 20 5 5 0 0 0").unwrap();
        assert!((after.busy_since(before) - 0.5).abs() < 1e-9);
        assert!(Processors::parse("").is_err());
    }

    #[test]
    fn the_longest_binary_comes_first() {
        let times = Times::default();
        times.binary("short".into(), Duration::from_secs(2));
        times.binary("long".into(), Duration::from_secs(20));
        times.end(&Running::start("tests"));
        let table = times.table(&[]);
        let place = |name: &str| table.find(name).unwrap();
        assert!(
            place("tests") < place("long") && place("long") < place("short"),
            "{table}"
        );
    }
}

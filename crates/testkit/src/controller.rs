//! A controller in its own process, for tests that kill it, restart it, or count its requests.

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// The path of a program of the workspace, next to the running test.
///
/// Cargo builds a package's programs for its integration tests only, and no programs of other packages.
/// `cargo xtask test` builds all programs first.
///
/// # Panics
/// When the program is not built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's own program");
    let folder = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    let program = folder.join(name);
    assert!(
        program.is_file(),
        "{} is missing; build it first: cargo build --workspace",
        program.display()
    );
    program
}

/// How long a controller may take to stop before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// A running controller. Dropping it stops the process.
pub struct Controller {
    child: Child,
    /// Loopback port of `/readyz` and `/metrics`.
    pub port: u16,
    log: PathBuf,
}

impl Controller {
    /// Starts `program` with `kubeconfig`. Writes its output to `log`.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(program: &Path, kubeconfig: &Path, log: &Path, args: &[&str]) -> Result<Self> {
        let port = free_port()?;
        let output = File::options().create(true).append(true).open(log)?;
        let child = Command::new(program)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .arg(format!("--health-address=127.0.0.1:{port}"))
            .args(args)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("Cannot start {}", program.display()))?;
        Ok(Self {
            child,
            port,
            log: log.to_owned(),
        })
    }

    /// Its process ID.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a GET request for `path` to its health server. Returns status code and body.
    ///
    /// # Errors
    /// When the server is unreachable.
    pub async fn get(&self, path: &str) -> Result<(u16, String)> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .context("The response is not HTTP.")?;
        let code = head
            .split_whitespace()
            .nth(1)
            .context("The response has no status code.")?;
        Ok((code.parse()?, body.to_owned()))
    }

    /// Whether it is the leader with complete caches.
    pub async fn leads(&self) -> bool {
        let ready = matches!(self.get("/readyz").await, Ok((200, _)));
        ready && self.log().contains("Caches complete.")
    }

    /// Kills it, as in a crash.
    ///
    /// # Errors
    /// When it no longer runs.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Terminates it and waits for its end. Returns whether it succeeded.
    ///
    /// # Errors
    /// When it no longer runs.
    pub async fn stop(self) -> Result<bool> {
        let pid = i32::try_from(self.child.id())?;
        kill_process(Pid::from_raw(pid).context("Invalid process ID.")?, Signal::TERM)?;
        self.ends().await
    }

    /// Waits for its end. Returns whether it succeeded.
    ///
    /// # Errors
    /// When its exit status is unknown.
    pub async fn ends(mut self) -> Result<bool> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.success());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Its resident memory in bytes.
    ///
    /// # Errors
    /// When it no longer runs.
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .context("no VmRSS")?;
        let kibibytes: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
        Ok(kibibytes * 1024)
    }
}

impl Drop for Controller {
    /// Terminates it as Kubernetes terminates a pod: it releases its Lease, so that the next instance leads at once. A
    /// killed controller keeps its Lease until it expires, for which all tests would wait.
    fn drop(&mut self) {
        // After `kill` or `stop` it has already ended.
        if let Ok(None) = self.child.try_wait() {
            let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            let told = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
            let deadline = Instant::now() + GRACE;
            while told && Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A free port.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

//! A controller as a process of its own: for tests that kill it, restart it, or count what it asks.

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// A program of the workspace, beside the test that runs.
///
/// Cargo builds the programs of the package whose tests it runs, but not those of other packages, nor those of a
/// package that has no integration tests. `cargo xtask test` builds them all first.
///
/// # Panics
/// When it is not built.
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

/// How long a controller may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// A running controller. It ends when this is dropped.
pub struct Controller {
    child: Child,
    /// Port of `/readyz` and `/metrics`, on loopback.
    pub port: u16,
    log: PathBuf,
}

impl Controller {
    /// Starts `program` with the identity in `kubeconfig`. Its log goes to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
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
            .with_context(|| format!("{} cannot be started", program.display()))?;
        Ok(Self {
            child,
            port,
            log: log.to_owned(),
        })
    }

    /// Number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks its health server for `path`: the status code and the body.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn get(&self, path: &str) -> Result<(u16, String)> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
        let code = head.split_whitespace().nth(1).context("no status line")?;
        Ok((code.parse()?, body.to_owned()))
    }

    /// Whether it leads, and its caches are complete.
    pub async fn leads(&self) -> bool {
        let ready = matches!(self.get("/readyz").await, Ok((200, _)));
        ready && self.log().contains("caches are complete")
    }

    /// Ends it at once, as a crash would.
    ///
    /// # Errors
    /// When it does not run any more.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end, and waits until it has; whether it ended well.
    ///
    /// # Errors
    /// When it does not run any more.
    pub async fn stop(self) -> Result<bool> {
        let pid = i32::try_from(self.child.id())?;
        kill_process(Pid::from_raw(pid).context("no process")?, Signal::TERM)?;
        self.ends().await
    }

    /// Waits until it has ended by itself; whether it ended well.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub async fn ends(mut self) -> Result<bool> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.success());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Resident memory in bytes, as the kernel counts it.
    ///
    /// # Errors
    /// When it does not run any more.
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
    /// Ends it as Kubernetes ends a pod: it gives its Lease back, and whoever is started next leads at once. A controller that
    /// is killed keeps its Lease until it expires, which once cost most of the tests' time.
    fn drop(&mut self) {
        // It has ended already where `kill` or `stop` was called.
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

/// A port that nobody listens on now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

//! `cargo xtask test`: every test.

mod binaries;
mod lanes;

use std::{path::Path, process::Stdio, time::Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use idp_cluster::Purge;
use idp_testkit::{ALONE, CLUSTER, OUTAGES, PEERS, PEERS2, TestCluster, load_sample_image};
use tokio::{
    process::Command,
    sync::{Mutex, Notify},
};

use crate::{build, progress::Lines};
use binaries::Binary;
use lanes::Lanes;

/// Which tests, and what becomes of the cluster.
#[derive(Args)]
pub(crate) struct TestArgs {
    /// Leaves the test clusters running, for the next run.
    #[arg(long)]
    keep: bool,
    /// Handed on to `cargo test`: packages, targets, names.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Starts the clusters that the tests share, runs them, and stops what it (or a test) started.
pub(crate) async fn run(root: &Path, args: &TestArgs) -> Result<()> {
    let cluster = TestCluster::start(&Lines).await?;
    load_sample_image(&cluster.cluster).await?;
    let outcome = if args.args.is_empty() {
        all(root).await
    } else {
        some(root, &args.args)
    };
    if !args.keep {
        for name in [CLUSTER, ALONE, PEERS, PEERS2, OUTAGES] {
            idp_cluster::down(name, Purge::Everything).await?;
        }
    }
    outcome
}

/// What the arguments select, by cargo itself. Other clusters start with the first test that needs them.
fn some(root: &Path, args: &[String]) -> Result<()> {
    build::run(build::cargo(root).args(["build", "--workspace", "--bins"]))?;
    build::run(build::cargo(root).arg("test").args(args))
}

/// Every test of the workspace, as many binaries at a time as there are cores: the clusters work as hard as the tests do.
async fn all(root: &Path) -> Result<()> {
    // Before the tests, so that none of them waits while the peers' programs are built.
    idp_cluster::helm(&Lines).await?;
    TestCluster::start_alone(&Lines).await?;
    TestCluster::start_peers(&Lines).await?;
    TestCluster::start_peers2(&Lines).await?;
    TestCluster::start_outages(&Lines).await?;
    let binaries = binaries::build(root)?;
    let count = binaries.len();
    let (lanes, ended) = (Mutex::new(Lanes::of(binaries)?), Notify::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = (0..cores).map(|_| worker(root, &lanes, &ended));
    let failed: Vec<String> = futures::future::try_join_all(workers).await?.concat();
    if !failed.is_empty() {
        bail!(
            "{} of {count} test binaries failed: {}",
            failed.len(),
            failed.join(", ")
        );
    }
    println!("{count} test binaries passed");
    Ok(())
}

/// Runs binaries as long as there are some; gives the names of those that failed.
async fn worker(root: &Path, lanes: &Mutex<Lanes>, ended: &Notify) -> Result<Vec<String>> {
    let mut failed = Vec::new();
    loop {
        // Before the look, so that nothing that ends after it is missed.
        let next = ended.notified();
        let turn = {
            let mut lanes = lanes.lock().await;
            match lanes.take() {
                None if lanes.is_empty() => return Ok(failed),
                turn => turn,
            }
        };
        let Some(turn) = turn else {
            next.await;
            continue;
        };
        if !passes(root, &turn.binary).await? {
            failed.push(name(root, &turn.binary));
        }
        lanes.lock().await.done(&turn);
        ended.notify_waiters();
    }
}

/// Runs a binary as cargo would, and shows in one piece what it says: others run beside it.
async fn passes(root: &Path, binary: &Binary) -> Result<bool> {
    let (name, start) = (name(root, binary), Instant::now());
    println!("… {name}");
    let outcome = Command::new(&binary.program)
        .current_dir(&binary.folder)
        .env("CARGO_MANIFEST_DIR", &binary.folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("{} cannot be run", binary.program.display()))?;
    let mark = if outcome.status.success() { '✓' } else { '✗' };
    println!(
        "{mark} {name} ({:.1} s)\n{}{}",
        start.elapsed().as_secs_f32(),
        String::from_utf8_lossy(&outcome.stdout),
        String::from_utf8_lossy(&outcome.stderr),
    );
    Ok(outcome.status.success())
}

/// A binary as people call it: its package's folder and its target.
fn name(root: &Path, binary: &Binary) -> String {
    let folder = binary.folder.strip_prefix(root).unwrap_or(&binary.folder);
    format!("{} {}", folder.display(), binary.target)
}

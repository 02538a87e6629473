//! `cargo xtask test`: every test.

mod binaries;
mod lanes;
mod times;

use std::{path::Path, process::Stdio, time::Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use idp_cluster::Purge;
use idp_testkit::{ALONE, CERTIFICATES, CLUSTER, OUTAGES, PEERS, TestCluster, load_sample_image};
use tokio::{
    process::Command,
    sync::{Mutex, Notify},
};

use crate::{build, progress::Lines};
use binaries::Binary;
use lanes::Lanes;
use times::{Running, Times};

/// The clusters that tests share.
const CLUSTERS: [&str; 5] = [CLUSTER, ALONE, PEERS, OUTAGES, CERTIFICATES];

/// How many test binaries run at a time on each core. Tests of a cluster mostly wait for it: with one a core, the cores are
/// idle for a third of the time.
const BINARIES_A_CORE: usize = 2;

/// How many tests of a binary run at a time, for the same reason; cargo would take the number of cores.
const TEST_THREADS: &str = "4";

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
    let outcome = if args.args.is_empty() {
        all(root).await
    } else {
        some(root, &args.args).await
    };
    if !args.keep {
        for name in CLUSTERS {
            idp_cluster::down(name, Purge::Everything).await?;
        }
    }
    outcome
}

/// What the arguments select, by cargo itself. Other clusters start with the first test that needs them.
async fn some(root: &Path, args: &[String]) -> Result<()> {
    start_shared().await?;
    build::run(build::cargo(root).args(["build", "--workspace", "--bins"]))?;
    build::run(build::cargo(root).arg("test").args(args))
}

/// Starts the cluster that most tests share.
async fn start_shared() -> Result<()> {
    let cluster = TestCluster::start(&Lines).await?;
    load_sample_image(&cluster.cluster).await?;
    Ok(())
}

/// Starts every cluster, all at the same time: each mostly waits for itself. Before the tests, so that none of them waits while
/// the peers' programs are built.
async fn start_all() -> Result<()> {
    idp_cluster::helm(&Lines).await?;
    // The others follow: what several need is built once.
    start_shared().await?;
    futures::try_join!(
        Box::pin(TestCluster::start_alone(&Lines)),
        Box::pin(TestCluster::start_peers(&Lines)),
        Box::pin(TestCluster::start_outages(&Lines)),
        Box::pin(TestCluster::start_certificates(&Lines)),
    )?;
    Ok(())
}

/// Every test of the workspace.
async fn all(root: &Path) -> Result<()> {
    let times = Times::default();
    let phase = Running::start("build of programs and tests");
    let binaries = binaries::build(root)?;
    times.end(&phase);
    let phase = Running::start("start of the clusters");
    start_all().await?;
    times.end(&phase);
    let count = binaries.len();
    let (lanes, ended) = (Mutex::new(Lanes::of(binaries)?), Notify::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = (0..cores * BINARIES_A_CORE).map(|_| worker(root, &lanes, &ended, &times));
    let phase = Running::start("tests");
    let failed: Vec<String> = futures::future::try_join_all(workers).await?.concat();
    times.end(&phase);
    println!("Where the time went:\n{}", times.table(&CLUSTERS));
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
async fn worker(root: &Path, lanes: &Mutex<Lanes>, ended: &Notify, times: &Times) -> Result<Vec<String>> {
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
        let start = Instant::now();
        if !passes(root, &turn.binary).await? {
            failed.push(name(root, &turn.binary));
        }
        times.binary(name(root, &turn.binary), start.elapsed());
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
        .env("RUST_TEST_THREADS", TEST_THREADS)
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

//! `cargo xtask test`: every test.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use idp_cluster::Purge;
use idp_testkit::{ALONE, CLUSTER, OUTAGES, PEERS, PEERS2, TestCluster, load_sample_image};

use crate::{build, progress::Lines};

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
    let everything: &[&str] = &["--workspace", "--all-targets"];
    let whole = args.args.is_empty();
    if whole {
        // Before the tests, so that none of them waits while the peers' programs are built.
        TestCluster::start_alone(&Lines).await?;
        TestCluster::start_peers(&Lines).await?;
        TestCluster::start_peers2(&Lines).await?;
        TestCluster::start_outages(&Lines).await?;
    }
    // Tests start controllers of other packages too, which `cargo test` does not build for them.
    let built = if whole {
        everything
    } else {
        &["--workspace", "--bins"]
    };
    build::run(build::cargo(root).arg("build").args(built))?;
    let mut cargo = build::cargo(root);
    cargo.arg("test");
    if whole {
        cargo.args(everything);
    }
    // One binary after another is cargo's own habit; within one, more tests than cores mostly wait for the cluster.
    cargo.args(&args.args);
    let outcome = build::run(&mut cargo);
    if !args.keep {
        for name in [CLUSTER, ALONE, PEERS, PEERS2, OUTAGES] {
            idp_cluster::down(name, Purge::Everything).await?;
        }
    }
    outcome
}

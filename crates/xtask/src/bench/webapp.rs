//! `cargo xtask bench webapp`: the controller against a bare client, and against itself at another size.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use idp_cluster::{Nodes, Purge};
use idp_testkit::TestCluster;
use idp_webapp::NAME;

use super::{
    environment::Change,
    lab::{Lab, stop},
    numbers::number,
    share::{Share, crowd},
    size::{ADDED, Size},
};
use crate::{
    build::{self, Profile},
    progress::Lines,
};

const CLUSTER: &str = "bench";
/// Pods that a fake node takes.
const PODS: usize = 110;
/// The size to which larger ones are compared.
const SMALL: usize = 500;
/// Applications that are created at once to reach a size: more at a time only wait.
const STEP: usize = 250;

/// How much is measured.
#[derive(Args)]
pub(crate) struct WebappArgs {
    /// Applications before the last rounds; above 500, the figures at 500 are measured too
    #[arg(long, default_value_t = SMALL)]
    applications: usize,
    /// Rounds of each measurement
    #[arg(long, default_value_t = 3,
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    rounds: usize,
    /// Handed on to the controller; its own default otherwise
    #[arg(long)]
    max_concurrent_reconciles: Option<usize>,
    /// A controller that is built already, such as one to compare with
    #[arg(long)]
    program: Option<PathBuf>,
    /// Leaves the cluster running
    #[arg(long)]
    keep: bool,
}

/// Measures and prints.
pub(crate) async fn run(root: &Path, args: &WebappArgs) -> Result<()> {
    let program = match &args.program {
        Some(program) => program.clone(),
        None => {
            println!("… build the controller for measuring");
            build::programs(root, &[NAME], Profile::Image)?.join(NAME)
        }
    };
    let nodes = Nodes::Kwok(nodes(args));
    let cluster = TestCluster::named(CLUSTER, nodes, &Lines).await?;
    let handed = args.max_concurrent_reconciles;
    let handed = handed.map(|count| format!("--max-concurrent-reconciles={count}"));
    let lab = Lab::new(root, cluster, program, handed.into_iter().collect()).await?;
    let measured = Box::pin(measure(&lab, args)).await;
    if !args.keep {
        idp_cluster::down(CLUSTER, Purge::Everything).await?;
    }
    measured?.print(args.rounds);
    Ok(())
}

/// As many fake nodes as the pods of all turns need, and some to spare for those of a rollout.
fn nodes(args: &WebappArgs) -> usize {
    let pods = args.applications.max(SMALL) * 2 + 1_000;
    pods.div_ceil(PODS)
}

struct Measured {
    share: Share,
    sizes: Vec<Size>,
    change: Change,
}

/// One cluster that grows: the turns of the comparison leave what they made, and fill it up to the first size.
async fn measure(lab: &Lab, args: &WebappArgs) -> Result<Measured> {
    let smallest = args.applications.min(SMALL);
    let turn = smallest.div_ceil(args.rounds);
    let mut share = Share::begin(lab, turn).await?;
    for round in 1..=args.rounds {
        println!("… round {round} of {} beside the ceiling", args.rounds);
        share.round(lab).await?;
    }
    let mut there = turn * args.rounds;
    let (mut sizes, mut change) = (Vec::new(), Change::default());
    let mut controller = lab.controller().await?;
    let wanted = if args.applications > SMALL {
        vec![SMALL, args.applications]
    } else {
        vec![smallest]
    };
    for applications in wanted {
        while there < applications {
            let more = (applications - there).min(STEP);
            println!("… {there} applications, {more} more");
            crowd(lab, more).await?;
            there += more;
        }
        let mut size = Size::at(applications);
        for round in 1..=args.rounds {
            println!(
                "… round {round} of {} at {applications} applications",
                args.rounds
            );
            controller = size.round(lab, controller, there).await?;
            there += ADDED;
        }
        sizes.push(size);
    }
    for round in 0..args.rounds {
        println!("… change {} of the Environment", round + 1);
        change.round(lab, &controller, there, round).await?;
    }
    stop(controller).await?;
    Ok(Measured { share, sizes, change })
}

impl Measured {
    fn print(&self, rounds: usize) {
        self.share.print(rounds);
        for size in &self.sizes {
            println!("\n| at {} applications | median (range) |", size.applications);
            println!("| --- | --- |");
            for (what, figure, digits) in size.rows() {
                println!("| {what} | {} |", figure.shown(digits));
            }
        }
        if let [small, large] = &self.sizes[..] {
            self::growth(small, large);
        }
        self.change.print();
    }
}

/// How much more an application costs among many.
fn growth(small: &Size, large: &Size) {
    println!(
        "\n| at {} applications, times what it is at {} | |",
        large.applications, small.applications
    );
    println!("| --- | --- |");
    for ((what, few, _), (_, many, _)) in small.rows().into_iter().zip(large.rows()) {
        println!("| {what} | {:.2} |", many.median() / few.median());
    }
    let kibibytes = 1024.0 * (large.memory() - small.memory());
    let more = number(large.applications.saturating_sub(small.applications));
    println!(
        "| memory of each application more, KiB | {:.1} |",
        kibibytes / more
    );
}

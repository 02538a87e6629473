//! `cargo xtask bench webapp`: the controller against the ceiling, in turns on one cluster.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use idp_api::{Environment, WebApplication};
use idp_cluster::{Nodes, Purge};
use idp_core::{Child, Kind, condition::READY};
use idp_testkit::{Controller, TestCluster, audit::Audit, fixtures::typical};
use idp_webapp::NAME;
use kube::{
    Api, Client, Config, ResourceExt,
    api::{ListParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};

use super::{
    arrivals::Arrivals,
    ceiling::{self, Write},
    numbers::{each, percentile, rate},
};
use crate::{
    build::{self, Profile},
    progress::Lines,
};

const CLUSTER: &str = "bench";
/// 110 pods each.
const FAKE_NODES: usize = 24;
/// Applications created at a time.
const CREATES: usize = 8;
/// Applications with which the best concurrency of the ceiling is looked for.
const TRIAL: usize = 40;
/// Applications of the quiet measurement of latency, and the time between two.
const PACED: usize = 60;
const PACE: Duration = Duration::from_millis(250);
const CALM: Duration = Duration::from_secs(180);

/// How much is measured.
#[derive(Args)]
pub(crate) struct WebappArgs {
    /// Applications, in two halves
    #[arg(long, default_value_t = 500)]
    applications: usize,
    /// At how many applications memory is measured once more
    #[arg(long, default_value_t = 1000)]
    memory_at: usize,
    /// Handed on to the controller; its own default otherwise
    #[arg(long)]
    max_concurrent_reconciles: Option<usize>,
    /// Leaves the cluster running
    #[arg(long)]
    keep: bool,
}

/// Measures and prints.
pub(crate) async fn run(root: &Path, args: &WebappArgs) -> Result<()> {
    println!("… build the controller for measuring");
    let program = build::programs(root, &[NAME], Profile::Image)?.join(NAME);
    let cluster = TestCluster::named(CLUSTER, Nodes::Kwok(FAKE_NODES), &Lines).await?;
    let bench = Bench::new(root, cluster, program, args).await?;
    let measured = Box::pin(bench.measure(args.applications, args.memory_at)).await;
    if !args.keep {
        idp_cluster::down(CLUSTER, Purge::Everything).await?;
    }
    print(&measured?);
    Ok(())
}

struct Bench {
    test: TestCluster,
    program: PathBuf,
    kubeconfig: PathBuf,
    /// With the controller's identity: what it asks is authenticated, authorized and audited alike.
    bare: Client,
    environment: Environment,
    args: Vec<String>,
    log: PathBuf,
}

#[derive(Default)]
struct Measured {
    applications: usize,
    most: usize,
    children: usize,
    concurrency: usize,
    ceiling: Duration,
    controller: Duration,
    latencies: Vec<Duration>,
    paced: Vec<Duration>,
    requests: BTreeMap<&'static str, usize>,
    resident: u64,
    resident_thousand: u64,
}

impl Bench {
    async fn new(root: &Path, test: TestCluster, program: PathBuf, args: &WebappArgs) -> Result<Self> {
        let kubeconfig = test.controller_kubeconfig(NAME).await?;
        let file = Kubeconfig::read_from(&kubeconfig)?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        let text = std::fs::read_to_string(root.join("platform/environments/local.yaml"))?;
        let mut environments: Vec<Environment> =
            idp_api::manifests::typed(&idp_api::manifests::parse(&text)?, "Environment")?;
        let arguments = args
            .max_concurrent_reconciles
            .map(|count| format!("--max-concurrent-reconciles={count}"));
        let log = test.cluster.dir().join("bench-controller.log");
        Ok(Self {
            test,
            program,
            kubeconfig,
            bare: Client::try_from(config)?,
            environment: environments.pop().context("no Environment")?,
            args: arguments.into_iter().collect(),
            log,
        })
    }

    async fn measure(&self, applications: usize, memory_at: usize) -> Result<Measured> {
        let half = applications.div_ceil(2);
        let mut all = Measured {
            applications: half * 2,
            most: memory_at.max(half * 2),
            ..Measured::default()
        };
        let mut best = Duration::MAX;
        for concurrency in [8, 16, 32] {
            let (time, _) = self.ceiling(TRIAL, concurrency).await?;
            println!(
                "  ceiling, {concurrency} at a time: {:.1} applications/s",
                rate(TRIAL, time)
            );
            if time < best {
                (best, all.concurrency) = (time, concurrency);
            }
        }
        for turn in 1..=2 {
            let (time, children) = self.ceiling(half, all.concurrency).await?;
            all.ceiling += time;
            all.children = children;
            println!("  turn {turn}: ceiling {:.1} applications/s", rate(half, time));
            let controller = self.controller().await?;
            let audit = Audit::from_now(&self.test.cluster.audit_log())?;
            let (time, latencies) = self.crowd(half).await?;
            all.controller += time;
            all.latencies.extend(latencies);
            for request in audit.requests()? {
                *all.requests
                    .entry(purpose(&request.verb, &request.resource))
                    .or_default() += 1;
            }
            println!("  turn {turn}: controller {:.1} applications/s", rate(half, time));
            all.resident = controller.resident_bytes()?;
            stop(controller).await?;
        }
        let controller = self.controller().await?;
        self.crowd(memory_at.saturating_sub(all.applications)).await?;
        all.resident_thousand = controller.resident_bytes()?;
        all.paced = self.paced().await?;
        stop(controller).await?;
        Ok(all)
    }

    /// A bare client writes the children of so many applications: the time, and children of an application.
    async fn ceiling(&self, count: usize, concurrency: usize) -> Result<(Duration, usize)> {
        let namespace = self.test.namespace("ceiling").await?;
        let children = self.render(&applications(&namespace, count))?;
        let kinds = children.iter().map(|child| child.kind).collect();
        // Watches cost the API server something, so both have them.
        let arrivals = Arrivals::watch(&self.test.client, &namespace, &kinds).await?;
        let writes: Result<Vec<Write>> = children
            .iter()
            .map(|child| Write::of(child, &namespace))
            .collect();
        let time = ceiling::write(&self.bare, writes?, concurrency).await?;
        arrivals.all(&keys(&children)).await?;
        self.calm(&namespace, count).await?;
        Ok((time, children.len() / count))
    }

    /// Creates applications as fast as that goes, with the controller running: the time from the first to the last
    /// child, and for each application the time to its last child.
    async fn crowd(&self, count: usize) -> Result<(Duration, Vec<Duration>)> {
        if count == 0 {
            return Ok(Default::default());
        }
        let namespace = self.test.namespace("crowd").await?;
        let apps = applications(&namespace, count);
        let (arrivals, keys) = self.expect(&namespace, &apps).await?;
        let api = Api::<WebApplication>::namespaced(self.test.client.clone(), &namespace);
        let start = Instant::now();
        let created: HashMap<String, Instant> = stream::iter(&apps)
            .map(|app| create(&api, app))
            .buffer_unordered(CREATES)
            .try_collect()
            .await?;
        let latencies = latencies(&created, &keys, &arrivals).await?;
        let last = arrivals
            .all(&flat(&keys))
            .await?
            .into_values()
            .max()
            .context("nothing came")?;
        self.calm(&namespace, count).await?;
        self.ready(&api, count).await?;
        Ok((last.duration_since(start), latencies))
    }

    /// Creates applications one after another: what a person who applies one waits for.
    async fn paced(&self) -> Result<Vec<Duration>> {
        let namespace = self.test.namespace("paced").await?;
        let apps = applications(&namespace, PACED);
        let (arrivals, keys) = self.expect(&namespace, &apps).await?;
        let api = Api::<WebApplication>::namespaced(self.test.client.clone(), &namespace);
        let mut created = HashMap::new();
        for app in &apps {
            let (name, at) = create(&api, app).await?;
            created.insert(name, at);
            tokio::time::sleep(PACE).await;
        }
        latencies(&created, &keys, &arrivals).await
    }

    async fn expect(&self, namespace: &str, apps: &[WebApplication]) -> Result<(Arrivals, Keys)> {
        let mut keys = Keys::new();
        for app in apps {
            keys.insert(
                app.name_any(),
                self::keys(&self.render(std::slice::from_ref(app))?),
            );
        }
        let kinds: BTreeSet<Kind> = flat(&keys).into_iter().map(|(kind, _)| kind).collect();
        Ok((Arrivals::watch(&self.test.client, namespace, &kinds).await?, keys))
    }

    fn render(&self, apps: &[WebApplication]) -> Result<Vec<Child>> {
        let mut children = Vec::new();
        for app in apps {
            let plan = idp_webapp::render::render(app, &self.environment)
                .map_err(|problems| anyhow!("{problems:?}"))?;
            children.extend(plan.children);
        }
        Ok(children)
    }

    async fn controller(&self) -> Result<Controller> {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let _ = std::fs::remove_file(&self.log);
        let controller = Controller::start(&self.program, &self.kubeconfig, &self.log, &args)?;
        let start = Instant::now();
        while !controller.leads().await {
            if start.elapsed() > CALM {
                bail!("the controller does not lead: {}", controller.log());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(controller)
    }

    /// Waits until Kubernetes itself has done its part: its work must not fall into the next measurement.
    async fn calm(&self, namespace: &str, count: usize) -> Result<()> {
        let pods = Api::<k8s_openapi::api::core::v1::Pod>::namespaced(self.test.client.clone(), namespace);
        let start = Instant::now();
        loop {
            let running = pods
                .list(&ListParams::default())
                .await?
                .iter()
                .filter(|pod| {
                    pod.status
                        .as_ref()
                        .is_some_and(|s| s.phase.as_deref() == Some("Running"))
                })
                .count();
            if running >= count {
                tokio::time::sleep(Duration::from_secs(3)).await;
                return Ok(());
            }
            if start.elapsed() > CALM {
                bail!("{running} of {count} pods run");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn ready(&self, api: &Api<WebApplication>, count: usize) -> Result<()> {
        let start = Instant::now();
        loop {
            let ready = api
                .list(&ListParams::default())
                .await?
                .iter()
                .flat_map(|app| &app.status)
                .filter(|status| status.conditions.iter().any(|c| c.type_ == READY && c.is_true()))
                .count();
            if ready == count {
                tokio::time::sleep(Duration::from_secs(3)).await;
                return Ok(());
            }
            if start.elapsed() > CALM {
                bail!("{ready} of {count} applications are ready");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Children by application.
type Keys = HashMap<String, Vec<(Kind, String)>>;

async fn create(api: &Api<WebApplication>, app: &WebApplication) -> Result<(String, Instant)> {
    let at = Instant::now();
    api.create(&PostParams::default(), app).await?;
    Ok((app.name_any(), at))
}

async fn latencies(
    created: &HashMap<String, Instant>,
    keys: &Keys,
    arrivals: &Arrivals,
) -> Result<Vec<Duration>> {
    let seen = arrivals.all(&flat(keys)).await?;
    let latency = |(name, children): (&String, &Vec<(Kind, String)>)| {
        let last = children.iter().filter_map(|key| seen.get(key)).max()?;
        Some(last.duration_since(*created.get(name)?))
    };
    Ok(keys.iter().filter_map(latency).collect())
}

fn applications(namespace: &str, count: usize) -> Vec<WebApplication> {
    (0..count)
        .map(|number| typical(namespace, &format!("app-{number}")))
        .collect()
}

fn keys(children: &[Child]) -> Vec<(Kind, String)> {
    children
        .iter()
        .map(|child| (child.kind, child.name.clone()))
        .collect()
}

fn flat(keys: &Keys) -> Vec<(Kind, String)> {
    keys.values().flatten().cloned().collect()
}

async fn stop(controller: Controller) -> Result<()> {
    if !controller.stop().await? {
        bail!("the controller did not end well");
    }
    Ok(())
}

fn purpose(verb: &str, resource: &str) -> &'static str {
    match (verb, resource) {
        ("patch", "webapplications/status") => "status",
        (_, "events") => "events",
        (_, "leases") => "leases",
        ("patch", _) => "children",
        _ => "others",
    }
}

fn print(all: &Measured) {
    let count = all.applications;
    let (ceiling, controller) = (rate(count, all.ceiling), rate(count, all.controller));
    #[expect(clippy::cast_precision_loss, reason = "far less than 2^53")]
    let mebibytes = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
    #[expect(clippy::cast_precision_loss, reason = "a dozen")]
    let children = all.children as f64;
    let (mut crowd, mut paced) = (all.latencies.clone(), all.paced.clone());
    let total: usize = all
        .requests
        .iter()
        .filter(|(what, _)| **what != "leases")
        .map(|(_, count)| count)
        .sum();
    let by: Vec<String> = all
        .requests
        .iter()
        .map(|(what, n)| format!("{what} {:.2}", each(*n, count)))
        .collect();
    println!("\n| {count} applications of {} children | |", all.children);
    println!("| --- | --- |");
    println!(
        "| ceiling: a bare client, {} writes at a time | {ceiling:.1} applications/s, {:.0} writes/s |",
        all.concurrency,
        ceiling * children
    );
    println!(
        "| controller | {controller:.1} applications/s, {:.0} children/s |",
        controller * children
    );
    println!(
        "| **controller / ceiling** | **{:.0} %** |",
        100.0 * controller / ceiling
    );
    println!(
        "| apply to last child, all at once | p50 {:.2} s, p99 {:.2} s |",
        percentile(&mut crowd, 50).as_secs_f64(),
        percentile(&mut crowd, 99).as_secs_f64()
    );
    println!(
        "| apply to last child, four a second, {} there | p50 {:.0} ms, p99 {:.0} ms |",
        all.most,
        percentile(&mut paced, 50).as_secs_f64() * 1e3,
        percentile(&mut paced, 99).as_secs_f64() * 1e3
    );
    println!(
        "| requests an application, up to Ready | {:.1} ({}) |",
        each(total, count),
        by.join(", ")
    );
    println!(
        "| resident memory at {count} applications | {:.0} MiB |",
        mebibytes(all.resident)
    );
    println!(
        "| resident memory at {} applications | {:.0} MiB |",
        all.most,
        mebibytes(all.resident_thousand)
    );
}

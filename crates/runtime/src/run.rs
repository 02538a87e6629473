//! Runs a controller: everything that its `main` would otherwise have to wire.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
};

use anyhow::anyhow;
use kube::{
    Client,
    runtime::events::{Recorder, Reporter},
};
use tokio::task::JoinSet;

use crate::{
    api::Api,
    applier::Applier,
    backoff::Backoff,
    caches::Caches,
    client,
    driver::Driver,
    events::Events,
    health::{self, Pulse},
    identity::Identity,
    leader::{self, Elector},
    metrics,
    queue::Queue,
    reconcile::Reconcile,
    resources::Resources,
    scrape::{self, Insight},
    shutdown::{self, GRACE, Tasks},
    telemetry::{Telemetry, TelemetryArgs},
    view::View,
    watching,
};

/// The arguments of every controller; each is also an environment variable.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Kubeconfig file; by default as kubectl finds it, or the pod's service account
    #[arg(long, env = "IDP_KUBECONFIG")]
    pub kubeconfig: Option<PathBuf>,
    /// What the controller does, whatever client it uses
    #[command(flatten)]
    pub options: Options,
    /// Logging and tracing
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// How a controller works.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Whether to take part in leader election; without it exactly one process may run
    #[arg(long, env = "IDP_LEADER_ELECT", default_value_t = true, action = clap::ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub leader_elect: bool,
    /// Namespace of the Lease
    #[arg(long, env = "IDP_LEASE_NAMESPACE", default_value = "idp-system")]
    pub lease_namespace: String,
    /// Address of /livez, /readyz and /metrics
    #[arg(long, env = "IDP_HEALTH_ADDRESS", default_value = "0.0.0.0:8080")]
    pub health_address: SocketAddr,
    /// How many resources are reconciled at a time
    #[arg(long, env = "IDP_MAX_CONCURRENT_RECONCILES", default_value_t = 8,
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub max_concurrent_reconciles: usize,
}

/// Runs a controller until the process is told to end.
///
/// # Errors
/// When it cannot start, when a part of it died, or when it lost its Lease ([`crate::LeaseLost`]).
pub async fn run<R: Reconcile>(controller: R, args: Args) -> anyhow::Result<()> {
    let telemetry = Telemetry::start(R::NAME, &args.telemetry)?;
    let ended = async {
        let client = client::connect(args.kubeconfig).await?;
        Box::pin(run_until(controller, client, args.options, shutdown::signalled())).await
    };
    let ended = ended.await;
    telemetry.shutdown().await;
    ended
}

/// Runs a controller with a client of one's own until `stop` resolves: several controllers in one
/// process, and tests.
///
/// # Errors
/// As [`run`].
pub async fn run_until<R: Reconcile>(
    controller: R,
    client: Client,
    options: Options,
    stop: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    let mut stop = std::pin::pin!(stop);
    let identity = leader::identity();
    let (driver, insight, send_events) = assemble(controller, &client, &identity);
    metrics::max_workers(R::NAME, options.max_concurrent_reconciles);
    let mut tasks = Tasks::default();
    let (address, server) = health::serve(options.health_address, insight.clone()).await?;
    tracing::info!(controller = R::NAME, version = env!("CARGO_PKG_VERSION"), health = %address, "started");
    tasks.spawn_fallible("health server", server);

    let mut elector = options.leader_elect.then(|| {
        metrics::leader(R::NAME, false);
        Elector::new(client.clone(), &options.lease_namespace, R::NAME, identity)
    });
    if let Some(elector) = &mut elector {
        tokio::select! {
            () = elector.acquire() => metrics::leader(R::NAME, true),
            error = tasks.failure() => return Err(error),
            () = &mut stop => return Ok(()),
        }
    }
    insight.leading.store(true, Ordering::Relaxed);
    let sending = tokio::spawn(send_events);
    let ended = {
        let held = async {
            match &mut elector {
                Some(elector) => elector.hold().await.into(),
                None => std::future::pending().await,
            }
        };
        Box::pin(lead(driver, client, &options, tasks, held, &mut stop)).await
    };
    if ended.is_ok() {
        // The driver is gone, and with it the last sender: this ends when the backlog is sent.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), sending).await;
        if let Some(elector) = &mut elector {
            elector.release().await;
        }
    }
    metrics::leader(R::NAME, false);
    ended
}

/// Works as the leader until told to stop, or until something goes wrong.
async fn lead<R: Reconcile>(
    driver: Arc<Driver<R>>,
    client: Client,
    options: &Options,
    mut tasks: Tasks,
    lost: impl Future<Output = anyhow::Error>,
    stop: &mut (impl Future<Output = ()> + Unpin),
) -> anyhow::Result<()> {
    let mut lost = std::pin::pin!(lost);
    start_watches(&driver, &client, &mut tasks);
    let settled = async {
        // Without complete caches every child would look missing, and be written again.
        driver.view.caches.settled().await;
        driver.view.resources.settled().await;
    };
    tokio::select! {
        () = settled => {}
        error = tasks.failure() => return Err(error),
        error = &mut lost => return Err(error),
        () = &mut *stop => return Ok(()),
    }
    tracing::info!(
        controller = R::NAME,
        resources = driver.view.resources.keys().len(),
        "caches are complete"
    );
    let mut workers = JoinSet::new();
    for _ in 0..options.max_concurrent_reconciles {
        workers.spawn(driver.clone().work());
    }
    tokio::select! {
        error = tasks.failure() => return Err(error),
        error = &mut lost => return Err(error),
        Some(ended) = workers.join_next() => {
            return Err(ended.err().map_or_else(|| anyhow!("a worker ended"), |error| anyhow!("a worker died: {error}")));
        }
        () = &mut *stop => {}
    }
    driver.queue.close();
    // The watches go on meanwhile, and so does the renewal of the Lease.
    tokio::select! {
        () = async { while workers.join_next().await.is_some() {} } => Ok(()),
        error = &mut lost => Err(error),
        () = tokio::time::sleep(GRACE) => {
            tracing::warn!("some reconciles did not end in time");
            Ok(())
        }
    }
}

fn start_watches<R: Reconcile>(driver: &Arc<Driver<R>>, client: &Client, tasks: &mut Tasks) {
    let plural = driver.identity.kind.plural;
    for cache in driver.view.caches.iter().cloned() {
        let waking = driver.clone();
        let task = watching::watch_kind(client.clone(), cache, R::NAME, move |wakes| waking.wake(wakes));
        tasks.spawn("watch", task);
    }
    let handling = driver.clone();
    let task = watching::watch_resources(client.clone(), plural, move |event| handling.on_resource(event));
    tasks.spawn("watch of resources", task);
    let queue = driver.queue.clone();
    tasks.spawn("delays", async move { queue.run_delays().await });
}

fn assemble<R: Reconcile>(
    controller: R,
    client: &Client,
    instance: &str,
) -> (
    Arc<Driver<R>>,
    Arc<Insight<R>>,
    impl Future<Output = ()> + Send + 'static + use<R>,
) {
    scrape::recorder();
    let identity = Identity::of::<R>();
    let caches = Arc::new(Caches::new(R::watches(), identity));
    let view = View {
        caches: caches.clone(),
        resources: Arc::new(Resources::default()),
    };
    let api = Api::new(client.clone(), R::NAME);
    let reporter = Reporter {
        controller: R::NAME.to_owned(),
        instance: Some(instance.to_owned()),
    };
    let (events, send_events) = Events::new(Recorder::new(client.clone(), reporter));
    let (queue, pulse) = (Arc::new(Queue::default()), Arc::new(Pulse::default()));
    let insight = Insight {
        view: view.clone(),
        queue: queue.clone(),
        pulse: pulse.clone(),
        leading: false.into(),
        reasons: Default::default(),
    };
    let applier = Applier {
        api: api.clone(),
        caches,
        identity,
    };
    let driver = Driver {
        controller,
        identity,
        api,
        applier,
        view,
        queue,
        backoff: Backoff::default(),
        events,
        pulse,
    };
    (Arc::new(driver), Arc::new(insight), send_events)
}

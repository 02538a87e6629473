//! Runs controllers: everything that a `main` would otherwise have to wire.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, anyhow};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared, join_all},
};
use kube::Client;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    client::connect::connect,
    endpoint::{
        health,
        scrape::{self, Overview},
    },
    grpc::{self, Callers, Servable, Service},
    observability::{
        metrics,
        telemetry::{Telemetry, TelemetryArgs},
    },
    process::{
        controller::{Assembly, Part, Running},
        leader::{self, Elector},
        shutdown::{self, GRACE, Tasks},
    },
    reconcile::Reconcile,
    store::view::View,
};

/// How long what is under way elsewhere (gRPC calls, events) may take to end.
const FAREWELL: Duration = Duration::from_secs(2);

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
    /// Where gRPC is served, and the certificates that it is spoken with
    #[command(flatten)]
    pub grpc: grpc::GrpcArgs,
}

/// Runs one controller until the process is told to end.
///
/// # Errors
/// As [`Process::run`].
pub async fn run<R: Reconcile>(controller: R, args: Args) -> anyhow::Result<()> {
    let mut process = Process::new(R::NAME);
    process.controller(controller);
    process.run(args).await
}

/// Runs one controller with a client of one's own until `stop` resolves: for tests.
///
/// # Errors
/// As [`Process::run`].
pub async fn run_until<R: Reconcile>(
    controller: R,
    client: Client,
    options: Options,
    stop: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    let mut process = Process::new(R::NAME);
    process.controller(controller);
    process.run_until(client, options, stop).await
}

/// A process of one or more controllers, and of the gRPC services that answer from their caches. They share a Lease:
/// either all of them work, or none. Watches and gRPC run without the Lease too, so that a successor is ready at once.
pub struct Process {
    name: &'static str,
    parts: Vec<Box<dyn Part>>,
    services: Vec<Service>,
}

impl Process {
    /// An empty process; `name` is that of its Lease, and its own in traces.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            parts: Vec::new(),
            services: Vec::new(),
        }
    }

    /// Adds a controller. What it returns reads the controller's caches, which fill once the process runs.
    pub fn controller<R: Reconcile>(&mut self, controller: R) -> View<R::Resource> {
        let assembly = Assembly::new(controller);
        let view = assembly.view();
        self.parts.push(Box::new(assembly));
        view
    }

    /// Adds a gRPC service, with who may call which of its methods, and the encoded `FileDescriptorSet` that the
    /// reflection service tells of it. It answers once the caches of all controllers are complete.
    pub fn serve<S: Servable>(&mut self, service: S, callers: Callers, descriptors: &'static [u8])
    where
        S::Future: Send,
    {
        self.services.push(Service::new(service, callers, descriptors));
    }

    /// Runs until the process is told to end.
    ///
    /// # Errors
    /// When it cannot start, when a part of it died, or when it lost its Lease ([`crate::LeaseLost`]).
    pub async fn run(self, args: Args) -> anyhow::Result<()> {
        self.run_while(args, std::future::pending()).await
    }

    /// Runs until the process is told to end, or `over` resolves: in both cases it ends in order, and gives its Lease back.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_while(self, args: Args, over: impl Future<Output = ()> + Send) -> anyhow::Result<()> {
        let stop = async {
            tokio::select! {
                () = shutdown::signalled() => {}
                () = over => {}
            }
        };
        let telemetry = Telemetry::start(self.name, &args.telemetry)?;
        let ended = async {
            let client = connect(args.kubeconfig).await?;
            Box::pin(self.run_until(client, args.options, stop)).await
        };
        let ended = ended.await;
        telemetry.shutdown().await;
        ended
    }

    /// Runs with a client of one's own until `stop` resolves.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_until(
        self,
        client: Client,
        options: Options,
        stop: impl Future<Output = ()> + Send,
    ) -> anyhow::Result<()> {
        let mut stop = std::pin::pin!(stop);
        scrape::recorder();
        let name = self.name;
        let identity = leader::identity();
        let (mut tasks, leading) = (Tasks::default(), Arc::new(AtomicBool::new(false)));
        let start = |part: Box<dyn Part>| part.start(&client, &identity, &leading, &mut tasks);
        let mut parts: Vec<Running> = self.parts.into_iter().map(start).collect();
        let overview = Overview(parts.iter().map(|part| part.insight.clone()).collect());
        let (address, server) = health::serve(options.health_address, Arc::new(overview))?;
        tracing::info!(controller = name, version = env!("CARGO_PKG_VERSION"), health = %address, "started");
        tasks.spawn_fallible("health server", server);

        // Without complete caches every child would look missing, and every answer might be wrong.
        let complete = join_all(parts.iter_mut().map(|part| take(&mut part.settled)));
        let complete: Complete = complete.map(|_| ()).boxed().shared();
        let (drain, drained) = watch::channel(false);
        if !self.services.is_empty() {
            let server = grpc::Server::bind(&options.grpc, &options.lease_namespace, self.services)
                .await
                .context("gRPC cannot be served")?;
            tracing::info!(controller = name, grpc = %server.address(), "serves gRPC");
            let complete = complete.clone();
            tasks.spawn_fallible("gRPC server", async move {
                complete.await;
                server.run(drained).await
            });
        }

        let mut elector = options.leader_elect.then(|| {
            metrics::leader(name, false);
            Elector::new(client, &options.lease_namespace, name, identity)
        });
        if let Some(elector) = &mut elector {
            if !stand_by(elector, &mut tasks, &drain, &complete, &mut stop).await? {
                return Ok(());
            }
            metrics::leader(name, true);
        }
        leading.store(true, Ordering::Relaxed);
        let events = parts
            .iter_mut()
            .map(|part| tokio::spawn(take(&mut part.send_events)));
        let events: Vec<_> = events.collect();
        let ended = {
            let held = async {
                match &mut elector {
                    Some(elector) => elector.hold().await.into(),
                    None => std::future::pending().await,
                }
            };
            let workers = options.max_concurrent_reconciles;
            Box::pin(lead(parts, complete, workers, tasks, drain, held, &mut stop)).await
        };
        if ended.is_ok() {
            // The drivers are gone, and with them the last senders: this ends when the backlog is sent.
            let _ = tokio::time::timeout(FAREWELL, join_all(events)).await;
            if let Some(elector) = &mut elector {
                elector.release().await;
            }
        }
        metrics::leader(name, false);
        ended
    }
}

/// Waits for the Lease; `false` when told to stop instead. gRPC is served meanwhile, and calls under way are answered.
async fn stand_by(
    elector: &mut Elector,
    tasks: &mut Tasks,
    drain: &watch::Sender<bool>,
    complete: &Complete,
    stop: &mut (impl Future<Output = ()> + Unpin),
) -> anyhow::Result<bool> {
    tokio::select! {
        () = elector.acquire() => return Ok(true),
        error = tasks.failure() => return Err(error),
        () = &mut *stop => {}
    }
    let _ = drain.send(true);
    // Before the caches are complete nothing is served.
    if complete.peek().is_some() {
        calls_end(drain, tasks).await;
    }
    Ok(false)
}

/// Waits for the last gRPC call, after `drain` was told so: the server is the only task that may end then.
async fn calls_end(drain: &watch::Sender<bool>, tasks: &mut Tasks) {
    if drain.receiver_count() > 0 {
        let _ = tokio::time::timeout(FAREWELL, tasks.failure()).await;
    }
}

/// Resolves when the caches of every controller are complete.
type Complete = Shared<BoxFuture<'static, ()>>;

fn take(future: &mut BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
    std::mem::replace(future, futures::future::ready(()).boxed())
}

/// Works as the leader until told to stop, or until something goes wrong.
async fn lead(
    parts: Vec<Running>,
    complete: Complete,
    count: usize,
    mut tasks: Tasks,
    drain: watch::Sender<bool>,
    lost: impl Future<Output = anyhow::Error>,
    stop: &mut (impl Future<Output = ()> + Unpin),
) -> anyhow::Result<()> {
    let mut lost = std::pin::pin!(lost);
    tokio::select! {
        () = complete => {}
        error = tasks.failure() => return Err(error),
        error = &mut lost => return Err(error),
        () = &mut *stop => return Ok(()),
    }
    let mut workers = JoinSet::new();
    let mut queues = Vec::new();
    for part in parts {
        (part.work)(&mut workers, count);
        queues.push(part.queue);
    }
    tokio::select! {
        error = tasks.failure() => return Err(error),
        error = &mut lost => return Err(error),
        Some(ended) = workers.join_next() => {
            return Err(ended.err().map_or_else(|| anyhow!("a worker ended"), |error| anyhow!("a worker died: {error}")));
        }
        () = &mut *stop => {}
    }
    queues.iter().for_each(|queue| queue.close());
    let _ = drain.send(true);
    // The watches go on meanwhile, and so does the renewal of the Lease.
    tokio::select! {
        () = async { while workers.join_next().await.is_some() {} } => {}
        error = &mut lost => return Err(error),
        () = tokio::time::sleep(GRACE) => tracing::warn!("some reconciles did not end in time"),
    }
    calls_end(&drain, &mut tasks).await;
    Ok(())
}

#[cfg(test)]
mod tests;

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
        controller::{AnyController, Controller, Running},
        leader::{self, Elector},
        shutdown::{self, GRACE, Tasks},
    },
    reconcile::Reconcile,
    store::view::View,
};

/// How long gRPC calls and events under way may take to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// The arguments of every controller; each is also an environment variable.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Kubeconfig file; by default as kubectl finds it, or the pod's service account
    #[arg(long, env = "IDP_KUBECONFIG")]
    pub kubeconfig: Option<PathBuf>,
    /// Options that do not depend on the client
    #[command(flatten)]
    pub options: Options,
    /// Logging and tracing
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// Options of a controller.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Whether to use leader election; without it, run exactly one process
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
    /// The address of the gRPC server, and the certificates of server and clients
    #[command(flatten)]
    pub grpc: grpc::GrpcArgs,
}

/// Runs one controller until the process gets a signal.
///
/// # Errors
/// As [`Process::run`].
pub async fn run<R: Reconcile>(controller: R, args: Args) -> anyhow::Result<()> {
    let mut process = Process::new(R::NAME);
    process.controller(controller);
    process.run(args).await
}

/// Runs one controller with this client until `stop` resolves: for tests.
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

/// A process of one or more controllers, and of the gRPC services that read their caches. They share a Lease: either all of
/// them work, or none. Watches and gRPC run without the Lease too, so that a successor is ready at once.
pub struct Process {
    name: &'static str,
    controllers: Vec<Box<dyn AnyController>>,
    services: Vec<Service>,
}

impl Process {
    /// An empty process; `name` is that of its Lease, and its own in traces.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            controllers: Vec::new(),
            services: Vec::new(),
        }
    }

    /// Adds a controller, and returns a view of its caches, which fill once the process runs.
    pub fn controller<R: Reconcile>(&mut self, controller: R) -> View<R::Resource> {
        let assembly = Controller::new(controller);
        let view = assembly.view();
        self.controllers.push(Box::new(assembly));
        view
    }

    /// Adds a gRPC service, with the callers of its methods, and the encoded `FileDescriptorSet` for the reflection service.
    /// It is served once the caches of all controllers are complete.
    pub fn serve<S: Servable>(&mut self, service: S, callers: Callers, descriptors: &'static [u8])
    where
        S::Future: Send,
    {
        self.services.push(Service::new(service, callers, descriptors));
    }

    /// Runs until the process gets a signal.
    ///
    /// # Errors
    /// When it cannot start, when a task of it failed, or when it lost its Lease ([`crate::LeaseLost`]).
    pub async fn run(self, args: Args) -> anyhow::Result<()> {
        self.run_while(args, std::future::pending()).await
    }

    /// Runs until the process gets a signal, or `over` resolves. Both are an orderly shutdown that releases the Lease.
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

    /// Runs with this client until `stop` resolves.
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
        let start =
            |controller: Box<dyn AnyController>| controller.start(&client, &identity, &leading, &mut tasks);
        let mut controllers: Vec<Running> = self.controllers.into_iter().map(start).collect();
        let overview = Overview(
            controllers
                .iter()
                .map(|controller| controller.state.clone())
                .collect(),
        );
        let (address, server) = health::serve(options.health_address, Arc::new(overview))?;
        tracing::info!(controller = name, version = env!("CARGO_PKG_VERSION"), health = %address, "Started.");
        tasks.spawn_fallible("health server", server);

        // Without complete caches every child would look missing, and every response might be wrong.
        let complete = join_all(
            controllers
                .iter_mut()
                .map(|controller| take(&mut controller.settled)),
        );
        let complete: Complete = complete.map(|_| ()).boxed().shared();
        let (drain, drained) = watch::channel(false);
        if !self.services.is_empty() {
            let server = grpc::Server::bind(&options.grpc, &options.lease_namespace, self.services)
                .await
                .context("cannot serve gRPC")?;
            tracing::info!(controller = name, grpc = %server.address(), "Serving gRPC.");
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
        let events = controllers
            .iter_mut()
            .map(|controller| tokio::spawn(take(&mut controller.send_events)));
        let events: Vec<_> = events.collect();
        let ended = {
            let held = async {
                match &mut elector {
                    Some(elector) => elector.hold().await.into(),
                    None => std::future::pending().await,
                }
            };
            let workers = options.max_concurrent_reconciles;
            Box::pin(lead(
                controllers,
                complete,
                workers,
                tasks,
                drain,
                held,
                &mut stop,
            ))
            .await
        };
        if ended.is_ok() {
            // The reconcilers are gone, and with them the last senders: this ends when the backlog is sent.
            let _ = tokio::time::timeout(DRAIN_TIMEOUT, join_all(events)).await;
            if let Some(elector) = &mut elector {
                elector.release().await;
            }
        }
        metrics::leader(name, false);
        ended
    }
}

/// Waits for the Lease; `false` when `stop` resolves first. gRPC is served meanwhile, and calls under way are completed.
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
    // gRPC is not served before the caches are complete.
    if complete.peek().is_some() {
        calls_end(drain, tasks).await;
    }
    Ok(false)
}

/// Waits for the last gRPC call after `drain`: the server is the only task that may end then.
async fn calls_end(drain: &watch::Sender<bool>, tasks: &mut Tasks) {
    if drain.receiver_count() > 0 {
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, tasks.failure()).await;
    }
}

/// Resolves when the caches of every controller are complete.
type Complete = Shared<BoxFuture<'static, ()>>;

fn take(future: &mut BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
    std::mem::replace(future, futures::future::ready(()).boxed())
}

/// Works as the leader until `stop` resolves, or until a task fails.
async fn lead(
    controllers: Vec<Running>,
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
    for controller in controllers {
        (controller.work)(&mut workers, count);
        queues.push(controller.queue);
    }
    tokio::select! {
        error = tasks.failure() => return Err(error),
        error = &mut lost => return Err(error),
        Some(ended) = workers.join_next() => {
            return Err(ended.err().map_or_else(|| anyhow!("a worker ended"), |error| anyhow!("a worker failed: {error}")));
        }
        () = &mut *stop => {}
    }
    queues.iter().for_each(|queue| queue.close());
    let _ = drain.send(true);
    // The watches go on meanwhile, and so does the renewal of the Lease.
    tokio::select! {
        () = async { while workers.join_next().await.is_some() {} } => {}
        error = &mut lost => return Err(error),
        () = tokio::time::sleep(GRACE) => tracing::warn!("Some reconciles did not end in time."),
    }
    calls_end(&drain, &mut tasks).await;
    Ok(())
}

#[cfg(test)]
mod tests;

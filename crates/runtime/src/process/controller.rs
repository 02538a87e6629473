//! One controller of a process: its parts before it has a client, and its tasks once it runs.

use std::sync::{Arc, atomic::AtomicBool};

use futures::{FutureExt, future::BoxFuture};
use kube::{Client, runtime::events::Reporter};
use tokio::task::JoinSet;

use crate::{
    apply::applier::Applier,
    client::request::Api,
    driver::{
        backoff::Backoff, progress::HeldStatuses, pulse::Pulse, queue::Queue, reconciler::Driver, triggers,
    },
    endpoint::scrape::{ControllerState, Inspect},
    observability::{events::Events, metrics, unreadable::Unreadables},
    process::shutdown::Tasks,
    reconcile::{self, Reconcile},
    store::{kind_store::KindStore, reflector, view::View},
};

/// A controller that does not run yet.
pub(crate) trait AnyController: Send {
    /// Starts its watches, and returns the rest, for when this process leads.
    fn start(
        self: Box<Self>,
        client: &Client,
        instance: &str,
        leading: &Arc<AtomicBool>,
        tasks: &mut Tasks,
    ) -> Running;
}

/// Adds a number of workers to the set.
type Work = Box<dyn FnOnce(&mut JoinSet<()>, usize) + Send>;

/// A controller whose watches run.
pub(crate) struct Running {
    /// Its state, as seen from outside.
    pub(crate) state: Arc<dyn Inspect>,
    /// Resolves when its caches are complete.
    pub(crate) settled: BoxFuture<'static, ()>,
    /// Sends events until every sender is dropped.
    pub(crate) send_events: BoxFuture<'static, ()>,
    /// Adds this many workers.
    pub(crate) work: Work,
    /// Its work queue, to be closed at the end.
    pub(crate) queue: Arc<Queue>,
}

/// The only implementation; the trait erases its type.
pub(crate) struct Controller<R: Reconcile> {
    controller: R,
    view: View<R::Resource>,
}

impl<R: Reconcile> Controller<R> {
    pub(crate) fn new(controller: R) -> Self {
        let view = reconcile::view(&controller);
        Self { controller, view }
    }

    pub(crate) fn view(&self) -> View<R::Resource> {
        self.view.clone()
    }
}

impl<R: Reconcile> AnyController for Controller<R> {
    fn start(
        self: Box<Self>,
        client: &Client,
        instance: &str,
        leading: &Arc<AtomicBool>,
        tasks: &mut Tasks,
    ) -> Running {
        let Self { controller, view } = *self;
        let identity = view.identity;
        let api = Api::new(client.clone(), R::NAME);
        let reporter = Reporter {
            controller: R::NAME.to_owned(),
            instance: Some(instance.to_owned()),
        };
        let (events, send_events) = Events::new(client.clone(), reporter);
        let (queue, pulse) = (Arc::new(Queue::default()), Arc::new(Pulse::default()));
        let watched = |cache: &Arc<KindStore>| Unreadables::new(R::NAME, cache.watch.kind, events.clone());
        let unreadables = Watched {
            caches: view.caches.iter().map(watched).collect(),
            resources: Unreadables::new(R::NAME, identity.kind, events.clone()),
        };
        let state = ControllerState::<R> {
            unreadables: unreadables.all().cloned().collect(),
            view: view.clone(),
            queue: queue.clone(),
            pulse: pulse.clone(),
            leading: leading.clone(),
            reasons: Default::default(),
        };
        let driver = Arc::new(Driver {
            applier: Applier::new(&api, &view.caches, identity),
            controller,
            identity,
            api,
            view: view.clone(),
            queue: queue.clone(),
            backoff: Backoff::default(),
            events,
            pulse,
            held: HeldStatuses::default(),
            working: AtomicBool::new(false),
        });
        start_watches(&driver, client, &unreadables, tasks);
        Running {
            state: Arc::new(state),
            settled: async move {
                view.caches.settled().await;
                view.resources.settled().await;
            }
            .boxed(),
            send_events: send_events.boxed(),
            work: Box::new(move |workers, count| {
                metrics::max_workers(R::NAME, count);
                driver.queue.workers(count);
                tracing::info!(
                    controller = R::NAME,
                    resources = driver.view.resources.keys().len(),
                    "Caches complete."
                );
                for _ in 0..count {
                    workers.spawn(driver.clone().work());
                }
            }),
            queue,
        }
    }
}

/// The unreadable objects of each watch.
struct Watched {
    /// In the order of the caches.
    caches: Vec<Arc<Unreadables>>,
    resources: Arc<Unreadables>,
}

impl Watched {
    fn all(&self) -> impl Iterator<Item = &Arc<Unreadables>> {
        self.caches.iter().chain([&self.resources])
    }
}

fn start_watches<R: Reconcile>(
    driver: &Arc<Driver<R>>,
    client: &Client,
    unreadables: &Watched,
    tasks: &mut Tasks,
) {
    for (cache, unreadables) in driver.view.caches.iter().cloned().zip(&unreadables.caches) {
        let requeuing = driver.clone();
        let requeue = move |requeues| requeuing.requeue(requeues);
        let task = reflector::watch_kind(client.clone(), cache, unreadables.clone(), requeue);
        tasks.spawn("watch", task);
    }
    let handling = driver.clone();
    let handle = move |event| handling.on_resource(event);
    let task = reflector::watch_resources(
        client.clone(),
        unreadables.resources.clone(),
        R::MAX_BYTES,
        handle,
    );
    tasks.spawn("watch of resources", task);
    let queue = driver.queue.clone();
    tasks.spawn("delays", async move { queue.run_delays().await });
    tasks.spawn("triggers", triggers::run(driver.clone()));
}

//! The content of `/metrics` and the results of the probes.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use ::metrics::gauge;
use idp_core::{Kind, StatusView};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{
    driver::{pulse::Pulse, queue::Queue},
    endpoint::health::Probe,
    observability::{metrics, unreadable::Unreadables},
    reasons::UNREADABLE,
    reconcile::Reconcile,
    store::view::View,
};

/// Buckets of controller-runtime's reconcile histogram.
const BUCKETS: [f64; 14] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// The recorder of this process, installed when first needed. `None` when something else records metrics.
pub(crate) fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || {
        let reconciles = Matcher::Full("controller_runtime_reconcile_time_seconds".to_owned());
        PrometheusBuilder::new()
            .set_buckets_for_metric(reconciles, &BUCKETS)
            .ok()?
            .install_recorder()
            .ok()
    };
    RECORDER.get_or_init(install).as_ref()
}

/// The state of one controller, as seen from outside.
pub(crate) struct ControllerState<R: Reconcile> {
    pub(crate) view: View<R::Resource>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) leading: Arc<AtomicBool>,
    /// The unreadable objects of each watch.
    pub(crate) unreadables: Vec<Arc<Unreadables>>,
    /// Reasons that were ever reported, so that those that are gone go back to 0.
    pub(crate) reasons: Mutex<HashMap<String, usize>>,
}

/// The state of a controller, for the endpoints.
pub(crate) trait Inspect: Send + Sync + 'static {
    /// Whether it works.
    fn is_alive(&self) -> bool;
    /// Whether it can work, or take over.
    fn is_ready(&self) -> bool;
    /// Brings the metrics that are states up to date.
    fn measure(&self);
}

/// All controllers of the process.
pub(crate) struct Overview(pub(crate) Vec<Arc<dyn Inspect>>);

impl Probe for Overview {
    fn is_alive(&self) -> bool {
        self.0.iter().all(|controller| controller.is_alive())
    }

    fn is_ready(&self) -> bool {
        self.0.iter().all(|controller| controller.is_ready())
    }

    fn metrics(&self) -> String {
        self.0.iter().for_each(|controller| controller.measure());
        if let Some(bytes) = resident_memory() {
            gauge!("process_resident_memory_bytes").set(bytes);
        }
        recorder()
            .map(|recorder| {
                recorder.run_upkeep();
                recorder.render()
            })
            .unwrap_or_default()
    }
}

impl<R: Reconcile> Inspect for ControllerState<R> {
    fn is_alive(&self) -> bool {
        self.pulse.is_alive(if self.leading.load(Ordering::Relaxed) {
            self.queue.depth().0
        } else {
            0
        })
    }

    fn is_ready(&self) -> bool {
        self.view.resources.synced() && self.view.caches.ready()
    }

    fn measure(&self) {
        let (depth, adds) = self.queue.depth();
        metrics::queue(R::NAME, depth, adds);
        self.count_problems();
        self.count_unreadable();
    }
}

impl<R: Reconcile> ControllerState<R> {
    /// A kind may be watched more than once.
    fn count_unreadable(&self) {
        let mut counts: HashMap<Kind, usize> = HashMap::new();
        for watch in &self.unreadables {
            *counts.entry(watch.kind).or_default() += watch.count();
        }
        for (kind, count) in counts {
            metrics::unreadable(R::NAME, kind, count);
        }
    }

    fn count_problems(&self) {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.values_mut().for_each(|count| *count = 0);
        for resource in self.view.resources.all() {
            for problem in R::current_status(&resource)
                .map(StatusView::problems)
                .unwrap_or_default()
            {
                *reasons.entry(problem.reason.clone()).or_default() += 1;
            }
        }
        let unreadable = self.view.resources.ghosts();
        if unreadable > 0 || reasons.contains_key(UNREADABLE.name) {
            reasons.insert(UNREADABLE.name.to_owned(), unreadable);
        }
        for (reason, count) in reasons.iter() {
            metrics::problems(R::NAME, reason.clone(), *count);
        }
    }
}

/// Resident memory of this process in bytes.
pub(crate) fn resident_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

//! Metrics, under controller-runtime's names where it has one, so that existing dashboards work.

use idp_core::Kind;
use metrics::{counter, gauge, histogram};

/// A child was written, or the API server rejected it.
pub(crate) fn applied(controller: &'static str, kind: Kind, result: &'static str) {
    counter!("idp_applied_total", "controller" => controller, "kind" => kind.kind, "result" => result)
        .increment(1);
}

/// An action was done.
pub(crate) fn acted(controller: &'static str, kind: Kind, deed: &'static str) {
    counter!("idp_acted_total", "controller" => controller, "kind" => kind.kind, "deed" => deed).increment(1);
}

/// A child was pruned.
pub(crate) fn pruned(controller: &'static str, kind: Kind) {
    counter!("idp_pruned_total", "controller" => controller, "kind" => kind.kind).increment(1);
}

/// A reconcile ended.
pub(crate) fn reconciled(controller: &'static str, result: &'static str, seconds: f64) {
    counter!("controller_runtime_reconcile_total", "controller" => controller, "result" => result)
        .increment(1);
    if result == "error" {
        counter!("controller_runtime_reconcile_errors_total", "controller" => controller).increment(1);
    }
    histogram!("controller_runtime_reconcile_time_seconds", "controller" => controller).record(seconds);
}

/// A worker began (`1.0`) or ended (`-1.0`) a reconcile.
pub(crate) fn workers(controller: &'static str, change: f64) {
    gauge!("controller_runtime_active_workers", "controller" => controller).increment(change);
}

/// How many reconciles may run at a time.
pub(crate) fn max_workers(controller: &'static str, count: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    gauge!("controller_runtime_max_concurrent_reconciles", "controller" => controller).set(count as f64);
}

/// State of the work queue.
pub(crate) fn queue(controller: &'static str, depth: usize, adds: u64) {
    #[expect(clippy::cast_precision_loss, reason = "a queue is shorter than 2^53")]
    gauge!("workqueue_depth", "name" => controller, "controller" => controller).set(depth as f64);
    counter!("workqueue_adds_total", "name" => controller, "controller" => controller).absolute(adds);
}

/// Whether this process is the leader.
pub(crate) fn leader(lease: &'static str, is_leader: bool) {
    gauge!("leader_election_master_status", "name" => lease).set(f64::from(u8::from(is_leader)));
}

/// How many problems of a reason all resources report.
pub(crate) fn problems(controller: &'static str, reason: String, count: usize) {
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53")]
    gauge!("idp_problems", "controller" => controller, "reason" => reason).set(count as f64);
}

/// A function of a controller panicked on an object.
pub(crate) fn panicked(controller: &'static str) {
    counter!("controller_runtime_reconcile_panics_total", "controller" => controller).increment(1);
}

/// How many objects of a kind cannot be read.
pub(crate) fn unreadable(controller: &'static str, kind: Kind, count: usize) {
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53")]
    gauge!("idp_unreadable_objects", "controller" => controller, "kind" => kind.kind).set(count as f64);
}

/// The API server responded to a request.
pub(crate) fn request(method: &str, code: u16, host: &str) {
    counter!(
        "rest_client_requests_total",
        "code" => if code == 0 { "<error>".to_owned() } else { code.to_string() },
        "method" => method.to_owned(),
        "host" => host.to_owned(),
    )
    .increment(1);
}

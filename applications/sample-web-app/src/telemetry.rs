//! Metrics of requests.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use metrics::{
    counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram, with_local_recorder,
};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

const REQUESTS: &str = "sample_http_requests_total";
const DURATION: &str = "sample_http_request_duration_seconds";
/// Used for autoscaling: see `autoscaling.custom` in webapplication.yaml.
const IN_FLIGHT: &str = "sample_http_requests_in_flight";

/// The bounds of Istio's histogram up to 10 s, so that the application's and the mesh's figures are comparable.
const BOUNDS: [f64; 12] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Counts and times requests. It has its own recorder, not the process's, so that each test has its own.
pub(crate) struct Telemetry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    served: AtomicU64,
}

impl Telemetry {
    /// Metrics that are all zero.
    pub(crate) fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), &BOUNDS)?
            .build_recorder();
        let handle = recorder.handle();
        with_local_recorder(&recorder, || {
            describe_counter!(
                REQUESTS,
                "Requests answered, by method, path template and status."
            );
            describe_histogram!(
                DURATION,
                "Time from a request's head to its response's, by path template."
            );
            describe_gauge!(IN_FLIGHT, "Active requests.");
            // Present from the start, because an autoscaler treats a missing series as an error.
            gauge!(IN_FLIGHT).set(0.0);
        });
        Ok(Self {
            recorder,
            handle,
            served: AtomicU64::new(0),
        })
    }

    /// Counts a request as active until the result is dropped, also if the client disconnects.
    pub(crate) fn in_flight(&self) -> InFlight<'_> {
        with_local_recorder(&self.recorder, || gauge!(IN_FLIGHT).increment(1.0));
        InFlight(self)
    }

    /// Records a response. `route` is the path template, never the path, to limit the number of series.
    pub(crate) fn answered(&self, method: &'static str, route: &str, status: u16, time: Duration) {
        // Without probes, which run several times a minute.
        if !matches!(route, "/healthz" | "/readyz") {
            self.served.fetch_add(1, Ordering::Relaxed);
        }
        with_local_recorder(&self.recorder, || {
            counter!(REQUESTS, "method" => method, "route" => route.to_owned(), "status" => status.to_string())
                .increment(1);
            histogram!(DURATION, "route" => route.to_owned()).record(time.as_secs_f64());
        });
    }

    /// Requests answered, without probes.
    pub(crate) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// All metrics, in Prometheus's text format.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds samples into buckets. Must be called regularly, in case there are no scrapes.
    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

/// An active request.
pub(crate) struct InFlight<'a>(&'a Telemetry);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        with_local_recorder(&self.0.recorder, || gauge!(IN_FLIGHT).decrement(1.0));
    }
}

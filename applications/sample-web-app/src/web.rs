//! The pages.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{MatchedPath, Path, Request, State},
    http::{HeaderName, Method, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::get,
};

use crate::{
    greeting::Greeting,
    info::Info,
    lifecycle::{Lifecycle, Phase},
    page,
    settings::Place,
    telemetry::Telemetry,
};

/// Maximum delay of `/api/delay`, so that no request holds a connection for long.
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// The page has no scripts and loads nothing, so it needs only its own style.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// State shared by all requests.
pub(crate) struct App {
    place: Place,
    greeting: OnceLock<Greeting>,
    started: Instant,
    /// Readiness.
    pub(crate) lifecycle: Lifecycle,
    /// Counts and times requests.
    pub(crate) telemetry: Telemetry,
}

impl App {
    /// An application that is starting.
    pub(crate) fn new(place: Place) -> Result<Self, metrics_exporter_prometheus::BuildError> {
        Ok(Self {
            place,
            greeting: OnceLock::new(),
            started: Instant::now(),
            lifecycle: Lifecycle::starting(),
            telemetry: Telemetry::new()?,
        })
    }

    /// Sets the configuration, and becomes ready.
    pub(crate) fn start(&self, greeting: Greeting) {
        self.greeting.get_or_init(|| greeting);
        self.lifecycle.advance(Phase::Ready);
    }

    fn info(&self) -> Info<'_> {
        let greeting = self.greeting.get();
        Info {
            application: &self.place.application,
            environment: &self.place.environment,
            namespace: &self.place.namespace,
            pod: &self.place.pod,
            node: &self.place.node,
            version: env!("CARGO_PKG_VERSION"),
            title: greeting.map_or("Starting", |greeting| &greeting.title),
            message: greeting.map_or("", |greeting| &greeting.message),
            uptime_seconds: self.started.elapsed().as_secs(),
            requests_served: self.telemetry.served(),
        }
    }
}

/// The pages.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/api/info", get(info))
        .route("/api/delay/{milliseconds}", get(delay))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .fallback(|| async { (StatusCode::NOT_FOUND, "not found\n") })
        .layer(middleware::from_fn_with_state(app.clone(), measure))
        .with_state(app)
}

/// The metrics, on a separate port.
pub(crate) fn metrics_router(app: Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .fallback(|| async { (StatusCode::NOT_FOUND, "metrics are at /metrics\n") })
        .with_state(app)
}

async fn index(State(app): State<Arc<App>>) -> Response {
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Html(page::render(&app.info()))).into_response()
}

async fn info(State(app): State<Arc<App>>) -> Response {
    match serde_json::to_string(&app.info()) {
        Ok(body) => (
            [
                (header::CONTENT_TYPE, "application/json"),
                (header::CACHE_CONTROL, "no-store"),
            ],
            body,
        )
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Responds late, to try timeouts, retries, latency alerts and shutdown.
async fn delay(Path(milliseconds): Path<u64>) -> String {
    let time = Duration::from_millis(milliseconds).min(LONGEST_DELAY);
    tokio::time::sleep(time).await;
    format!("waited {} ms\n", time.as_millis())
}

async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    match app.lifecycle.phase() {
        Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        Phase::Ready => (StatusCode::OK, "ready\n"),
        Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        app.telemetry.render(),
    )
        .into_response()
}

async fn measure(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let method = method_label(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let start = Instant::now();
    let in_flight = app.telemetry.in_flight();
    let response = next.run(request).await;
    drop(in_flight);
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    app.telemetry
        .answered(method, route, response.status().as_u16(), start.elapsed());
    response
}

/// The method as a label. Unknown methods share one label, so that clients cannot create series.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

//! `/livez`, `/readyz` and `/metrics`.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::net::TcpListener;

/// How long the loop may stand still while work waits.
const STUCK: Duration = Duration::from_secs(600);

/// When the loop last made progress.
pub(crate) struct Pulse {
    last: Mutex<Instant>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            last: Mutex::new(Instant::now()),
        }
    }
}

impl Pulse {
    /// Progress was made.
    pub(crate) fn beat(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Whether the loop is alive, given how much work waits.
    pub(crate) fn is_alive(&self, waiting: usize) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting == 0 {
            *last = Instant::now();
        }
        last.elapsed() < STUCK
    }
}

/// What the endpoints ask.
pub(crate) trait Probe: Send + Sync + 'static {
    /// Whether the process works; the kubelet restarts it otherwise.
    fn is_alive(&self) -> bool;
    /// Whether it does its work, or stands by to take over.
    fn is_ready(&self) -> bool;
    /// All metrics in Prometheus' text format.
    fn metrics(&self) -> String;
}

/// Binds the address and returns it with the server to be polled.
pub(crate) async fn serve(
    address: SocketAddr,
    probe: Arc<dyn Probe>,
) -> anyhow::Result<(SocketAddr, impl Future<Output = anyhow::Result<()>> + Send)> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    let bound = listener.local_addr()?;
    let router = Router::new()
        .route(
            "/livez",
            get(|State(probe): State<Arc<dyn Probe>>| async move { answer(probe.is_alive()) }),
        )
        .route(
            "/readyz",
            get(|State(probe): State<Arc<dyn Probe>>| async move { answer(probe.is_ready()) }),
        )
        .route(
            "/metrics",
            get(|State(probe): State<Arc<dyn Probe>>| async move { probe.metrics() }),
        )
        .with_state(probe);
    Ok((bound, async move {
        axum::serve(listener, router)
            .await
            .context("health server failed")
    }))
}

fn answer(ok: bool) -> (StatusCode, &'static str) {
    if ok {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ok\n")
    }
}

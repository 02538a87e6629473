//! `/livez`, `/readyz` and `/metrics`.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::net::TcpListener;

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

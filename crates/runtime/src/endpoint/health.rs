//! `/livez`, `/readyz` and `/metrics`, on a thread of their own: the kubelet gets a response however busy the controllers are.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
};

use anyhow::Context;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::{runtime, sync::oneshot};

/// What the endpoints ask.
pub(crate) trait Probe: Send + Sync + 'static {
    /// Whether the process works; the kubelet restarts it otherwise.
    fn is_alive(&self) -> bool;
    /// Whether it works, or is ready to take over.
    fn is_ready(&self) -> bool;
    /// All metrics in Prometheus' text format.
    fn metrics(&self) -> String;
}

/// Binds the address and serves. Returns the address, and a future that ends when the server fails; the server ends when
/// that is dropped.
pub(crate) fn serve(
    address: SocketAddr,
    probe: Arc<dyn Probe>,
) -> anyhow::Result<(SocketAddr, impl Future<Output = anyhow::Result<()>> + Send)> {
    let listener = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    let (running, dropped) = oneshot::channel::<()>();
    let (sender, ended) = oneshot::channel();
    thread::Builder::new().name("health".to_owned()).spawn(move || {
        // The receiver is gone if the future was dropped.
        let _ = sender.send(run(listener, router(probe), dropped));
    })?;
    let served = async move {
        let _running = running;
        ended.await.context("health server died")?
    };
    Ok((bound, served))
}

fn run(listener: TcpListener, router: Router, dropped: oneshot::Receiver<()>) -> anyhow::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::select! {
            served = async { axum::serve(listener, router).await } => served.context("health server failed"),
            _ = dropped => Ok(()),
        }
    })
}

fn router(probe: Arc<dyn Probe>) -> Router {
    Router::new()
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
        .with_state(probe)
}

fn answer(ok: bool) -> (StatusCode, &'static str) {
    if ok {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ok\n")
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
        time::Duration,
    };

    use super::*;

    struct Ready;

    impl Probe for Ready {
        fn is_alive(&self) -> bool {
            true
        }
        fn is_ready(&self) -> bool {
            true
        }
        fn metrics(&self) -> String {
            String::new()
        }
    }

    /// Blocks the only thread of the test's runtime, as controllers do that have much to do.
    #[tokio::test]
    async fn it_answers_while_the_controllers_keep_every_thread_busy() {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let (address, served) = serve(local, Arc::new(Ready)).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: local\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        drop(served);
        // The port is closed after a moment.
        while TcpStream::connect(address).is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

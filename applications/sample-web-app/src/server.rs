//! Listening, starting and stopping.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    sync::watch,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    greeting::{Greeting, GreetingError},
    lifecycle::Phase,
    settings::Settings,
    web::{App, metrics_router, router},
};

/// Time for requests to finish after the drain. Drain and this time are shorter than `terminationGraceSeconds`, after
/// which the kubelet kills the process.
const FINISH: Duration = Duration::from_secs(15);

/// Upkeep interval of metrics.
const UPKEEP: Duration = Duration::from_secs(30);

/// Why the service stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// The configuration is not valid.
    #[error(transparent)]
    Greeting(#[from] GreetingError),
    /// A listener failed.
    #[error("serving: {0}")]
    Serve(#[from] io::Error),
}

/// The open listeners.
pub(crate) struct Server {
    app: Arc<App>,
    listener: TcpListener,
    metrics: TcpListener,
}

impl Server {
    /// Opens the listeners. On all addresses, because a pod's address is only known to the pod.
    pub(crate) async fn bind(settings: &Settings, app: Arc<App>) -> io::Result<Self> {
        let listener = listen(settings.port).await?;
        let metrics = listen(settings.metrics_port).await?;
        Ok(Self {
            app,
            listener,
            metrics,
        })
    }

    /// Address of the pages.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Address of the metrics.
    pub(crate) fn metrics_address(&self) -> io::Result<SocketAddr> {
        self.metrics.local_addr()
    }

    /// Serves until `stop` ends, and then until the last request is answered.
    pub(crate) async fn run(
        self,
        settings: &Settings,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ServerError> {
        let Self {
            app,
            listener,
            metrics,
        } = self;
        let (closing, closed) = watch::channel(false);
        let pages = axum::serve(listener, router(app.clone())).with_graceful_shutdown(raised(closed.clone()));
        // Outlives the pages, so that the last requests are still scraped.
        let metrics = axum::serve(metrics, metrics_router(app.clone())).into_future();

        let lifetime = async {
            app.start(Greeting::read(&settings.greeting_file)?);
            stop.await;
            app.lifecycle.advance(Phase::Draining);
            sleep(settings.drain).await;
            // An error means that the pages have stopped already.
            let _ = closing.send(true);
            Ok::<(), ServerError>(())
        };
        let bounded = async {
            raised(closed.clone()).await;
            sleep(FINISH).await;
        };

        tokio::select! {
            outcome = async { tokio::try_join!(lifetime, async { Ok(pages.await?) }) } => outcome.map(|_| ()),
            outcome = metrics => Ok(outcome?),
            () = bounded => {
                eprintln!("some requests were still active {} s after the drain: aborting them", FINISH.as_secs());
                Ok(())
            }
            () = tidy(&app) => Ok(()),
        }
    }
}

async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(("0.0.0.0", port))
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("listening on port {port}: {error}")))
}

/// Ends when the flag is set or its owner dropped.
async fn raised(mut flag: watch::Receiver<bool>) {
    let _ = flag.wait_for(|up| *up).await;
}

/// Never ends.
async fn tidy(app: &App) {
    let mut ticks = interval(UPKEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        app.telemetry.upkeep();
    }
}

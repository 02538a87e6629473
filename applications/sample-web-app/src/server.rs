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

/// Time that requests get to finish after the drain: with it, less than `terminationGraceSeconds`, after which the
/// kubelet would kill the process in the midst of them.
const FINISH: Duration = Duration::from_secs(15);

/// How often metrics are tidied when nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(30);

/// Why the service ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// The configuration is not usable.
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

    /// Where the pages are.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where the metrics are.
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
            // Nobody listens when the pages have ended already.
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
                eprintln!("requests were still open {} s after the drain: leaving them", FINISH.as_secs());
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

/// Ends when the flag is up, or its owner gone.
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

//! Orderly shutdown.

use std::time::Duration;

use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

/// How long running reconciles may take to end: less than a pod's grace period of 30 s.
pub(crate) const GRACE: Duration = Duration::from_secs(25);

/// Resolves when the process gets SIGTERM or SIGINT.
pub async fn signalled() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        // Without handlers the signals end the process.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM received; shutting down."),
        _ = interrupt.recv() => tracing::info!("SIGINT received; shutting down."),
    }
}

/// Tasks that must not end while the process runs. If a detached task failed unnoticed, the process would look healthy and
/// do nothing; here the end of a task ends the process.
#[derive(Default)]
pub(crate) struct Tasks {
    set: JoinSet<(&'static str, anyhow::Result<()>)>,
}

impl Tasks {
    /// Starts a task that never ends.
    pub(crate) fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_fallible(name, async move {
            task.await;
            Ok(())
        });
    }

    /// Starts a task that ends only with an error.
    pub(crate) fn spawn_fallible(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.set.spawn(async move { (name, task.await) });
    }

    /// Resolves when the first of them ends, with the reason.
    pub(crate) async fn failure(&mut self) -> anyhow::Error {
        match self.set.join_next().await {
            None => std::future::pending().await,
            Some(Ok((_, Err(error)))) => error,
            Some(Ok((name, Ok(())))) => anyhow::anyhow!("task {name} ended"),
            Some(Err(error)) => anyhow::anyhow!("a task failed: {error}"),
        }
    }
}

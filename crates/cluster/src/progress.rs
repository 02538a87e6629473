//! What a caller is told while a cluster is being built and started.

use std::future::Future;
use std::time::{Duration, Instant};

/// One thing that happened during a long operation.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A step began.
    Started {
        /// What is being done, in a few words.
        step: &'a str,
    },
    /// A line of output of the step under way, such as the compiler's.
    Line {
        /// The step that wrote it.
        step: &'a str,
        /// The text, without a line end.
        line: &'a str,
    },
    /// A step ended well. A failed step ends with the error that the whole operation returns.
    Finished {
        /// The step that ended.
        step: &'a str,
        /// How long it took.
        elapsed: Duration,
    },
}

/// Receives events; implemented by whoever shows them.
pub trait Progress: Send + Sync {
    /// Called for every event, in order within one step; must not block for long.
    fn report(&self, event: Event<'_>);
}

/// Nobody listens.
impl Progress for () {
    fn report(&self, _: Event<'_>) {}
}

/// Runs `work` as one step: reports its start, and its end when it succeeds.
pub(crate) async fn step<T>(
    progress: &dyn Progress,
    step: &str,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    progress.report(Event::Started { step });
    let start = Instant::now();
    let result = work.await?;
    progress.report(Event::Finished {
        step,
        elapsed: start.elapsed(),
    });
    Ok(result)
}

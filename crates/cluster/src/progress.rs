//! Progress of a long operation, such as building and starting a cluster.

use std::future::Future;
use std::time::{Duration, Instant};

/// An event of a long operation.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A step began.
    Started {
        /// The step, in a few words.
        step: &'a str,
    },
    /// A line of output of the current step, such as the compiler's.
    Line {
        /// The step.
        step: &'a str,
        /// The line, without its line break.
        line: &'a str,
    },
    /// A step succeeded. A failed step has no event: the operation returns its error.
    Finished {
        /// The step.
        step: &'a str,
        /// How long it took.
        elapsed: Duration,
    },
}

/// Receives events, for example to show them.
pub trait Progress: Send + Sync {
    /// Called for every event, in order within a step. Must not block for long.
    fn report(&self, event: Event<'_>);
}

/// Ignores all events.
impl Progress for () {
    fn report(&self, _: Event<'_>) {}
}

/// Runs `work` as a step: reports its start, and its end if it succeeds.
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

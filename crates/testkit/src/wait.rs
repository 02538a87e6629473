//! Waiting for what will be, and checking that what is stays.

use std::time::{Duration, Instant};

/// How long [`eventually`] waits. Long, because two cores may be busy with a whole cluster; a test that passes
/// never waits that long.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(100);

/// Asks until the answer is `Ok`.
///
/// # Panics
/// When it is still `Err` after two minutes; the last error is shown.
pub async fn eventually<T, F: Future<Output = Result<T, E>>, E: std::fmt::Display>(
    what: &str,
    ask: impl FnMut() -> F,
) -> T {
    eventually_within(PATIENCE, what, ask).await
}

/// The same with another limit.
///
/// # Panics
/// When it is still `Err` after `limit`.
pub async fn eventually_within<T, F: Future<Output = Result<T, E>>, E: std::fmt::Display>(
    limit: Duration,
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let start = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) if start.elapsed() > limit => panic!("{what}: not within {limit:?}: {error}"),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Asks for `time`, and fails as soon as the answer is `Err`.
///
/// # Panics
/// When an answer is `Err`.
pub async fn stays<F: Future<Output = Result<(), E>>, E: std::fmt::Display>(
    time: Duration,
    what: &str,
    mut ask: impl FnMut() -> F,
) {
    let start = Instant::now();
    while start.elapsed() < time {
        if let Err(error) = ask().await {
            panic!("{what}: after {:?}: {error}", start.elapsed());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

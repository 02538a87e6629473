//! Waiting until a check passes, and checking that it keeps passing.

use std::time::{Duration, Instant};

/// How long [`eventually`] waits. Long enough for two cores that are busy with a whole cluster; passing tests never wait
/// that long.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(100);

/// Repeats a check until it returns `Ok`.
///
/// # Panics
/// With the last error, when it still returns `Err` after two minutes.
pub async fn eventually<T, F: Future<Output = Result<T, E>>, E: std::fmt::Display>(
    what: &str,
    ask: impl FnMut() -> F,
) -> T {
    eventually_within(PATIENCE, what, ask).await
}

/// The same with another time limit.
///
/// # Panics
/// When it still returns `Err` after `limit`.
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

/// Repeats a check for `time`, and fails as soon as it returns `Err`.
///
/// # Panics
/// When the check returns `Err`.
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

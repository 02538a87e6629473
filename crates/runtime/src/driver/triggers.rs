//! Requeues resources by a controller's own triggers.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt};

use crate::{
    driver::reconciler::Driver, jitter::jittered, observability::metrics, panics, reconcile::Reconcile,
    store::kind_store::Requeue,
};

/// Pause before the stream is restarted after a panic.
const PAUSE: Duration = Duration::from_secs(1);

/// Requeues the resources of the controller's own stream until it ends. A panic in it must not end the process: the
/// resources that it would have returned are unknown, so all are requeued, and the stream is restarted.
pub(crate) async fn run<R: Reconcile>(driver: Arc<Driver<R>>) {
    while AssertUnwindSafe(follow(&driver))
        .catch_unwind()
        .await
        .is_err_and(|panic| {
            metrics::panicked(R::NAME);
            tracing::error!(
                controller = R::NAME,
                panic = panics::message(&*panic),
                "The controller's triggers panicked; requeueing every resource."
            );
            true
        })
    {
        tokio::time::sleep(jittered(PAUSE)).await;
        driver.requeue(vec![Requeue::All]);
    }
}

async fn follow<R: Reconcile>(driver: &Driver<R>) {
    let mut triggers = driver.controller.triggers(&driver.view);
    while let Some(keys) = triggers.next().await {
        match keys.as_slice() {
            [key] => driver.requeue(vec![Requeue::One(key.clone())]),
            _ => driver.resync(keys),
        }
    }
}

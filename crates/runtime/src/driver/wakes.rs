//! Requeues resources by a controller's own triggers.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt};

use crate::{
    driver::reconciler::Driver, jitter::jittered, observability::metrics, panics, reconcile::Reconcile,
    store::kind_store::Requeue,
};

/// Before a stream that panicked is begun again.
const PAUSE: Duration = Duration::from_secs(1);

/// Wakes whom the controller's own stream names, until that ends. A panic in it must not end the process: whom it would
/// have named is not known, so every resource is requeued, and the stream is started again.
pub(crate) async fn listen<R: Reconcile>(driver: Arc<Driver<R>>) {
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
        driver.wake(vec![Requeue::All]);
    }
}

async fn follow<R: Reconcile>(driver: &Driver<R>) {
    let mut wakes = driver.controller.triggers(&driver.view);
    while let Some(keys) = wakes.next().await {
        match keys.as_slice() {
            [key] => driver.wake(vec![Requeue::One(key.clone())]),
            _ => driver.resync(keys),
        }
    }
}

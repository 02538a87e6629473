//! Telling others of this process which objects of a kind have changed.

use futures::{Stream, stream};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::reconcile::ObjectKey;

/// How many changes a listener may lag behind before it is told "anything" instead.
const BACKLOG: usize = 256;

/// Where changes are announced. Without listeners an announcement costs nothing.
pub(crate) struct Changes {
    sender: broadcast::Sender<ObjectKey>,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            sender: broadcast::Sender::new(BACKLOG),
        }
    }
}

impl Changes {
    pub(crate) fn announce(&self, key: &ObjectKey) {
        if self.sender.receiver_count() > 0 {
            // Listeners may go meanwhile: then there is nobody to tell.
            let _ = self.sender.send(key.clone());
        }
    }

    /// Every change from now on. An empty key means that any object may have changed.
    pub(crate) fn listen(&self) -> impl Stream<Item = ObjectKey> + Send + 'static + use<> {
        stream::unfold(self.sender.subscribe(), |mut receiver| async move {
            match receiver.recv().await {
                Ok(key) => Some((key, receiver)),
                Err(RecvError::Lagged(_)) => Some((ObjectKey::new("", ""), receiver)),
                Err(RecvError::Closed) => None,
            }
        })
    }
}

//! Announces to other parts of this process which objects of a kind have changed.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use futures::{Stream, stream};
use tokio::sync::Notify;

use idp_core::ObjectKey;

/// Where changes are announced. Without listeners an announcement costs nothing.
///
/// A slow listener gets each object once, however often that changed: its backlog is never longer than the number of
/// objects, and a burst in one namespace never becomes a change of everything.
#[derive(Default)]
pub(crate) struct Changes {
    listeners: Mutex<Vec<Weak<Listener>>>,
}

#[derive(Default)]
struct Listener {
    pending: Mutex<Pending>,
    more: Notify,
}

#[derive(Default)]
struct Pending {
    order: VecDeque<ObjectKey>,
    known: HashSet<ObjectKey>,
}

impl Changes {
    pub(crate) fn announce(&self, key: &ObjectKey) {
        let mut listeners = lock(&self.listeners);
        listeners.retain(|listener| match listener.upgrade() {
            Some(listener) => {
                listener.add(key);
                true
            }
            None => false,
        });
    }

    /// Every change from now on. It never ends.
    pub(crate) fn listen(&self) -> impl Stream<Item = ObjectKey> + Send + 'static + use<> {
        let listener = Arc::new(Listener::default());
        lock(&self.listeners).push(Arc::downgrade(&listener));
        stream::unfold(listener, |listener| async move {
            loop {
                if let Some(key) = listener.take() {
                    return Some((key, listener));
                }
                // An object added meanwhile has left a permit.
                listener.more.notified().await;
            }
        })
    }
}

impl Listener {
    fn add(&self, key: &ObjectKey) {
        let mut pending = lock(&self.pending);
        if pending.known.insert(key.clone()) {
            pending.order.push_back(key.clone());
            self.more.notify_one();
        }
    }

    fn take(&self) -> Option<ObjectKey> {
        let mut pending = lock(&self.pending);
        let key = pending.order.pop_front()?;
        pending.known.remove(&key);
        Some(key)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    #[tokio::test]
    async fn a_burst_is_told_object_by_object() {
        let changes = Changes::default();
        let mut listener = Box::pin(changes.listen());
        for _ in 0..3 {
            (0..1_000).for_each(|n| changes.announce(&ObjectKey::new("busy", n.to_string())));
        }
        changes.announce(&ObjectKey::new("quiet", "one"));
        let mut told = Vec::new();
        while let Some(Some(key)) = listener.next().now_or_never() {
            told.push(key);
        }
        assert_eq!(told.len(), 1_001, "each once");
        assert!(told.iter().all(|key| !key.name.is_empty()), "never `any`");
        changes.announce(&ObjectKey::new("busy", "1"));
        assert_eq!(listener.next().await, Some(ObjectKey::new("busy", "1")));
    }

    #[tokio::test]
    async fn who_listens_no_more_is_forgotten() {
        let changes = Changes::default();
        drop(changes.listen());
        changes.announce(&ObjectKey::new("a", "b"));
        assert!(lock(&changes.listeners).is_empty());
    }
}

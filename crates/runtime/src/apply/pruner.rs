//! Removes children that the plan no longer holds.

use std::collections::HashSet;

use futures::{StreamExt, stream};
use idp_core::{Kind, ObjectKey};
use tracing::Instrument;

use crate::{
    apply::{
        applier::{Applier, Progress},
        refusal::Refusal,
    },
    object::parent::Parent,
    observability::metrics,
    store::kind_store::{Cache, Serving},
};

const CONCURRENCY: usize = 4;

impl Applier {
    /// Deletes the children of `parent` that are not `planned`. Only what carries our label *and* the
    /// resource's UID as its controller is deleted, and only the very object that the cache knows: the
    /// deletion has its UID as a precondition. Nothing is deleted before every kind was listed.
    pub(crate) async fn prune(
        &self,
        parent: &Parent,
        planned: &HashSet<(Kind, ObjectKey)>,
        progress: &mut Progress,
    ) {
        if self
            .caches
            .iter()
            .any(|cache| cache.serving() == Serving::Pending)
        {
            return;
        }
        let surplus = self
            .caches
            .children_of(parent)
            .into_iter()
            .filter(|(cache, key, record)| {
                record.managed
                    && record.owner.as_ref().is_some_and(|owner| owner.uid == parent.uid)
                    && !record.deleting
                    && !record.detached
                    && !planned.contains(&(cache.watch.kind, key.clone()))
            });
        let mut deletions = stream::iter(surplus)
            .map(|(cache, key, record)| async move { self.delete(&cache, &key, &record.uid).await })
            .buffer_unordered(CONCURRENCY);
        while let Some(refusal) = deletions.next().await {
            progress.refuse(refusal);
        }
    }

    /// Deletes what no owner reference lets Kubernetes collect when `parent` goes, and says whether all of it is gone.
    pub(crate) async fn release(&self, parent: &Parent) -> bool {
        let held = self
            .caches
            .children_of(parent)
            .into_iter()
            .filter(|(_, key, record)| !record.detached && parent.cannot_own(Some(&key.namespace)));
        let mut all_gone = true;
        for (cache, key, record) in held {
            all_gone = false;
            if record.managed && !record.deleting {
                // Refused or not: the next look finds out.
                let _ = self.delete(&cache, &key, &record.uid).await;
            }
        }
        all_gone
    }

    async fn delete(&self, cache: &Cache, key: &ObjectKey, uid: &str) -> Option<Refusal> {
        let kind = cache.watch.kind;
        let span = tracing::info_span!("prune", kind = kind.kind, child = key.name);
        match self.api.delete(kind, key, uid).instrument(span).await {
            Ok(()) => {
                tracing::info!(%kind, object = %key, "pruned");
                metrics::pruned(self.identity.name, kind);
                cache.deletion_began(key, uid);
                None
            }
            // Gone already, or another object has taken the name: either way ours is not there.
            Err(error) if matches!(error.code(), Some(404 | 409)) => {
                cache.deletion_began(key, uid);
                None
            }
            Err(error) => Some(Refusal::of(kind, key, &error)),
        }
    }
}

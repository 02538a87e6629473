//! Deletes children that the plan no longer contains.

use std::{collections::HashSet, sync::Arc};

use futures::{StreamExt, stream};
use idp_core::{Kind, ObjectKey};
use tracing::Instrument;

use super::refusal::Refusal;
use crate::{
    client::request::Api,
    object::{identity::Identity, parent::Parent},
    observability::metrics,
    store::{
        kind_store::{KindStore, Serving},
        stores::Stores,
    },
};

/// Deletions under way at a time for one resource.
const CONCURRENCY: usize = 4;

/// Deletes children.
pub(crate) struct Pruner {
    pub(crate) api: Api,
    pub(crate) caches: Arc<Stores>,
    pub(crate) identity: Identity,
}

impl Pruner {
    /// Deletes the children of `parent` that are not `planned`, and returns what was refused. Only an object that has our
    /// label *and* the resource's UID as its controller is deleted, with the UID that the cache knows as a precondition.
    /// Nothing is deleted before every kind was listed.
    pub(crate) async fn prune(&self, parent: &Parent, planned: &HashSet<(Kind, ObjectKey)>) -> Vec<Refusal> {
        if self
            .caches
            .iter()
            .any(|cache| cache.serving() == Serving::Pending)
        {
            return Vec::new();
        }
        let surplus = self
            .caches
            .children_of(parent)
            .into_iter()
            .filter(|(cache, key, entry)| {
                entry.managed
                    && entry.owner.as_ref().is_some_and(|owner| owner.uid == parent.uid)
                    && !entry.deleting
                    && !entry.detached
                    && !planned.contains(&(cache.watch.kind, key.clone()))
            });
        let deletions = stream::iter(surplus)
            .map(|(cache, key, entry)| async move { self.delete(&cache, &key, &entry.uid).await })
            .buffer_unordered(CONCURRENCY);
        deletions.filter_map(std::future::ready).collect().await
    }

    /// Deletes the children that Kubernetes does not garbage-collect with `parent`, because no owner reference is possible.
    /// Returns whether all of them are gone.
    pub(crate) async fn release(&self, parent: &Parent) -> bool {
        let held = self
            .caches
            .children_of(parent)
            .into_iter()
            .filter(|(_, key, entry)| !entry.detached && parent.cannot_own(Some(&key.namespace)));
        let mut all_gone = true;
        for (cache, key, entry) in held {
            all_gone = false;
            if entry.managed && !entry.deleting {
                // Refused or not: the next attempt finds out.
                let _ = self.delete(&cache, &key, &entry.uid).await;
            }
        }
        all_gone
    }

    async fn delete(&self, cache: &KindStore, key: &ObjectKey, uid: &str) -> Option<Refusal> {
        let kind = cache.watch.kind;
        let span = tracing::info_span!("prune", kind = kind.kind, child = key.name);
        match self.api.delete(kind, key, uid).instrument(span).await {
            Ok(()) => {
                tracing::info!(%kind, object = %key, "Child pruned.");
                metrics::pruned(self.identity.name, kind);
                cache.deletion_began(key, uid);
                None
            }
            // Gone already, or another object has the name: either way ours does not exist.
            Err(error) if matches!(error.code(), Some(404 | 409)) => {
                cache.deletion_began(key, uid);
                None
            }
            Err(error) => Some(Refusal::of(kind, key, &error)),
        }
    }
}

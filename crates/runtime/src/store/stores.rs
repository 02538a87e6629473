//! All caches of one controller.

use std::sync::{Arc, Mutex};

use idp_core::{Kind, ObjectKey};

use crate::{
    object::{identity::Identity, parent::Parent},
    store::{
        entry::{Entry, Pool},
        kind_store::{KindStore, Serving},
        watch::Watch,
    },
};

/// The caches of everything that a controller watches besides its resource.
pub(crate) struct Stores {
    all: Vec<Arc<KindStore>>,
}

impl Stores {
    pub(crate) fn new(watches: Vec<Watch>, identity: Identity) -> Self {
        for watch in &watches {
            assert!(
                !watch.lets_tenants_requeue_all(),
                "{}: a tenant's object would requeue every resource; use Targets::Namespace.",
                watch.kind
            );
        }
        let pool = Arc::new(Mutex::new(Pool::default()));
        let new = |watch| Arc::new(KindStore::new(watch, identity, pool.clone()));
        Self {
            all: watches.into_iter().map(new).collect(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<KindStore>> {
        self.all.iter()
    }

    /// The caches of `kind`: one of children, or one or more of related objects.
    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Arc<KindStore>> {
        self.all.iter().filter(move |cache| cache.watch.kind == kind)
    }

    /// The caches of children.
    pub(crate) fn owned(&self) -> impl Iterator<Item = &Arc<KindStore>> {
        self.all.iter().filter(|cache| cache.is_owned())
    }

    /// The cache that holds the children of `kind`.
    pub(crate) fn children(&self, kind: Kind) -> Option<&Arc<KindStore>> {
        self.owned().find(|cache| cache.watch.kind == kind)
    }

    /// Every child of one resource, of whatever kind.
    pub(crate) fn children_of(&self, parent: &Parent) -> Vec<(Arc<KindStore>, ObjectKey, Arc<Entry>)> {
        self.owned()
            .flat_map(|cache| {
                let found = cache.of_target(&parent.key).into_iter();
                found
                    .filter(|(key, entry)| entry.belongs_to(key, parent))
                    .map(|(key, entry)| (cache.clone(), key, entry))
            })
            .collect()
    }

    /// A kind of children that exists but that we could not list, so that a resource's children of it are unknown. A kind
    /// that does not exist has no objects.
    pub(crate) fn unlisted(&self) -> Option<Kind> {
        let unlisted =
            |cache: &&Arc<KindStore>| matches!(cache.serving(), Serving::Pending | Serving::Forbidden);
        self.owned().find(unlisted).map(|cache| cache.watch.kind)
    }

    /// Waits until every kind is listed or known to be missing.
    pub(crate) async fn settled(&self) {
        for cache in &self.all {
            cache.settled().await;
        }
    }

    /// Whether every kind that must be served is.
    pub(crate) fn ready(&self) -> bool {
        self.all.iter().all(|cache| match cache.serving() {
            Serving::Served => true,
            Serving::Pending => false,
            Serving::Missing | Serving::Forbidden => cache.watch.optional,
        })
    }
}

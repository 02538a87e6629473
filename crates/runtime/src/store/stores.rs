//! All caches of one controller.

use std::sync::{Arc, Mutex};

use idp_core::{Kind, ObjectKey};

use crate::{
    object::{identity::Identity, parent::Parent},
    store::{
        entry::{Pool, Record},
        kind_store::{Cache, Serving},
        watch::Watch,
    },
};

/// The caches of everything that a controller watches besides its resource.
pub(crate) struct Caches {
    all: Vec<Arc<Cache>>,
}

impl Caches {
    pub(crate) fn new(watches: Vec<Watch>, identity: Identity) -> Self {
        for watch in &watches {
            assert!(
                !watch.lets_tenants_wake_all(),
                "{}: one object of a tenant would keep everybody's work busy: use Targets::Namespace",
                watch.kind
            );
        }
        let pool = Arc::new(Mutex::new(Pool::default()));
        let new = |watch| Arc::new(Cache::new(watch, identity, pool.clone()));
        Self {
            all: watches.into_iter().map(new).collect(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Cache>> {
        self.all.iter()
    }

    /// The caches of `kind`: one of children, or one or more of objects that are only looked at.
    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Arc<Cache>> {
        self.all.iter().filter(move |cache| cache.watch.kind == kind)
    }

    /// The caches of children.
    pub(crate) fn owned(&self) -> impl Iterator<Item = &Arc<Cache>> {
        self.all.iter().filter(|cache| cache.is_owned())
    }

    /// The cache that holds the children of `kind`.
    pub(crate) fn children(&self, kind: Kind) -> Option<&Arc<Cache>> {
        self.owned().find(|cache| cache.watch.kind == kind)
    }

    /// Every child of one resource, of whatever kind.
    pub(crate) fn children_of(&self, parent: &Parent) -> Vec<(Arc<Cache>, ObjectKey, Arc<Record>)> {
        self.owned()
            .flat_map(|cache| {
                let found = cache.of_target(&parent.key).into_iter();
                found
                    .filter(|(key, record)| record.belongs_to(key, parent))
                    .map(|(key, record)| (cache.clone(), key, record))
            })
            .collect()
    }

    /// A kind of children that is there and that we have not been able to list: what a resource owns of it is not known.
    /// Nobody owns anything of a kind that does not exist.
    pub(crate) fn unlisted(&self) -> Option<Kind> {
        let unlisted = |cache: &&Arc<Cache>| matches!(cache.serving(), Serving::Pending | Serving::Forbidden);
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

//! When objects came to be, as a watch saw it: `creationTimestamp` knows seconds only.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use futures::{StreamExt, TryStreamExt};
use idp_core::Kind;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, WatchEvent, WatchParams},
};
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(600);
/// How long one watch lasts, in seconds: longer than all that is waited for.
const WATCH: u32 = 1_800;

type Seen = Arc<Mutex<HashMap<(Kind, String), Instant>>>;

/// Watches of one namespace. They end when this is dropped.
pub(crate) struct Arrivals {
    seen: Seen,
    _watches: JoinSet<()>,
}

impl Arrivals {
    /// Watches an empty namespace.
    pub(crate) async fn watch(client: &Client, namespace: &str, kinds: &BTreeSet<Kind>) -> Result<Self> {
        let seen = Seen::default();
        let mut watches = JoinSet::new();
        for kind in kinds.iter().copied() {
            let gvk = GroupVersionKind::gvk(kind.group, kind.version, kind.kind);
            let resource = ApiResource::from_gvk_with_plural(&gvk, kind.plural);
            let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource);
            let from = api.list_metadata(&ListParams::default()).await?;
            let version = from.metadata.resource_version.unwrap_or_default();
            let mut events = api
                .watch_metadata(&WatchParams::default().timeout(WATCH), &version)
                .await?
                .boxed();
            let seen = seen.clone();
            watches.spawn(async move {
                while let Ok(Some(event)) = events.try_next().await {
                    if let WatchEvent::Added(object) = event {
                        let key = (kind, object.metadata.name.unwrap_or_default());
                        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                        seen.entry(key).or_insert_with(Instant::now);
                    }
                }
            });
        }
        Ok(Self {
            seen,
            _watches: watches,
        })
    }

    /// Waits until all of `wanted` have come; when each did.
    pub(crate) async fn all(&self, wanted: &[(Kind, String)]) -> Result<HashMap<(Kind, String), Instant>> {
        let start = Instant::now();
        loop {
            {
                let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                let missing = wanted.iter().find(|key| !seen.contains_key(key));
                match missing {
                    None => return Ok(seen.clone()),
                    Some((kind, name)) if start.elapsed() > PATIENCE => {
                        bail!("{kind} {name} did not come");
                    }
                    Some(_) => {}
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

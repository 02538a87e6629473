//! The watches that feed the caches. They never end; what goes wrong is retried.

use std::{fmt::Debug, pin::pin, sync::Arc, time::Duration};

use futures::StreamExt;
use idp_core::labels;
use kube::{
    Api, Client, Resource,
    core::{DeserializeGuard, DynamicObject},
    runtime::watcher::{self, Event, watcher},
};
use serde::de::DeserializeOwned;

use crate::{
    backoff::jittered,
    cache::{Cache, Serving, Wake},
};

/// Objects a page of the initial list: a page is all of them that is ever in memory.
const PAGE: u32 = 100;
/// How often a kind that is not there is looked for again.
const ABSENT: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(30);

/// Keeps one cache up to date.
pub(crate) async fn watch_kind(
    client: Client,
    cache: Arc<Cache>,
    manager: &'static str,
    wake: impl Fn(Vec<Wake>),
) {
    let kind = cache.watch.kind;
    let config = watcher::Config::default()
        .page_size(PAGE)
        .labels(&selector(&cache, manager))
        .fields(cache.watch.fields);
    let mut failures = Failures::new(kind.plural);
    loop {
        let api = Api::<DynamicObject>::all_with(client.clone(), &kind.api_resource());
        let mut events = pin!(watcher(api, config.clone()));
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    failures.reset();
                    wake(handle(&cache, event));
                }
                Err(error) => match absence(&error) {
                    Some(why) if cache.watch.optional || why == Serving::Missing => {
                        if cache.serving() != why {
                            tracing::info!(%kind, ?why, "kind is not served to us; looking again every 30 s");
                        }
                        wake(cache.not_served(why));
                        tokio::time::sleep(jittered(ABSENT)).await;
                        // A new watcher lists again, rather than going on with a watch of what was.
                        break;
                    }
                    _ => tokio::time::sleep(failures.failed(&error)).await,
                },
            }
        }
    }
}

fn selector(cache: &Cache, manager: &str) -> String {
    let ours = format!("{}={manager}", labels::MANAGED_BY);
    match (cache.is_owned(), cache.watch.labels) {
        (true, "") => ours,
        (true, labels) => format!("{ours},{labels}"),
        (false, labels) => labels.to_owned(),
    }
}

fn handle(cache: &Cache, event: Event<DynamicObject>) -> Vec<Wake> {
    match event {
        Event::Apply(object) | Event::InitApply(object) => cache.observe(object),
        Event::Delete(object) => cache.vanish(&object),
        Event::Init => {
            cache.relist_began();
            Vec::new()
        }
        Event::InitDone => cache.relist_done(),
    }
}

/// Whether an error says that the kind is not there for us.
fn absence(error: &watcher::Error) -> Option<Serving> {
    let code = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => status.code,
        watcher::Error::WatchError(status) => status.code,
        _ => return None,
    };
    match code {
        404 | 405 => Some(Serving::Missing),
        403 => Some(Serving::Forbidden),
        _ => None,
    }
}

/// Feeds the events of the reconciled kind to `handle`. Objects that do not parse are logged and left
/// alone: one bad object must not hide all others.
pub(crate) async fn watch_resources<K>(client: Client, plural: &'static str, handle: impl Fn(Event<K>))
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut failures = Failures::new(plural);
    let config = watcher::Config::default().page_size(PAGE);
    loop {
        let api = Api::<DeserializeGuard<K>>::all(client.clone());
        let mut events = pin!(watcher(api, config.clone()));
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    failures.reset();
                    handle_guarded(event, &handle);
                }
                Err(error) => {
                    tokio::time::sleep(failures.failed(&error)).await;
                    if absence(&error).is_some() {
                        break;
                    }
                }
            }
        }
    }
}

fn handle_guarded<K: Resource<DynamicType = ()>>(
    event: Event<DeserializeGuard<K>>,
    handle: &impl Fn(Event<K>),
) {
    let event = match event {
        Event::Apply(DeserializeGuard(Ok(object))) => Event::Apply(object),
        Event::InitApply(DeserializeGuard(Ok(object))) => Event::InitApply(object),
        Event::Delete(DeserializeGuard(Ok(object))) => Event::Delete(object),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
        Event::Apply(DeserializeGuard(Err(invalid)))
        | Event::InitApply(DeserializeGuard(Err(invalid)))
        | Event::Delete(DeserializeGuard(Err(invalid))) => {
            let (namespace, name) = (&invalid.metadata.namespace, &invalid.metadata.name);
            tracing::error!(?namespace, ?name, error = %invalid, "this object does not parse: CRD and controller differ");
            return;
        }
    };
    handle(event);
}

/// Consecutive failures of one watch, logged once rather than at every attempt.
struct Failures {
    what: &'static str,
    count: u32,
}

impl Failures {
    fn new(what: &'static str) -> Self {
        Self { what, count: 0 }
    }

    fn reset(&mut self) {
        if self.count > 1 {
            tracing::info!(kind = self.what, "watch works again");
        }
        self.count = 0;
    }

    fn failed(&mut self, error: &watcher::Error) -> Duration {
        self.count = self.count.saturating_add(1);
        // A watch that ends after a while is ordinary, and resumed; failing again is worth a line.
        if self.count == 2 || self.count.is_multiple_of(20) {
            tracing::warn!(kind = self.what, attempts = self.count, %error, "watch fails");
        }
        jittered((Duration::from_millis(250) * (1_u32 << self.count.min(8))).min(LONGEST))
    }
}

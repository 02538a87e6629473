//! The watches that feed the caches. They never end; failures are retried.
//!
//! An object that cannot be read, or on which a function of the controller panics, is skipped and reported. It delays no
//! other: the watches wait only after failures of the requests themselves.

use std::{
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use idp_core::{ObjectKey, labels};
use kube::{
    Api, Client, Resource,
    core::ObjectMeta,
    runtime::watcher::{self, Event},
};
use serde::de::DeserializeOwned;

use crate::{
    jitter::jittered,
    object::reading::{DecodeError, RawObject, Unreadable, api_resource},
    observability::{metrics, unreadable::Unreadables},
    panics,
    store::{
        kind_store::{KindStore, Requeue, Serving},
        list_watch::ListWatch,
    },
};

/// How often a kind that is not served is checked again.
const RECHECK_INTERVAL: Duration = Duration::from_secs(30);
const MAX_DELAY: Duration = Duration::from_secs(30);

/// Keeps one cache up to date.
pub(crate) async fn watch_kind(
    client: Client,
    cache: Arc<KindStore>,
    unreadables: Arc<Unreadables>,
    requeue: impl Fn(Vec<Requeue>),
) {
    let kind = cache.watch.kind;
    let mut list = ListWatch {
        api: Api::all_with(client, &kind.api_resource()),
        labels: selector(&cache, unreadables.controller),
        fields: cache.watch.fields.to_owned(),
        paged: false,
    };
    let mut failures = Failures::new(kind.plural);
    loop {
        let mut events = list.events();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    failures.succeeded(&event);
                    let skip = |key: &ObjectKey| cache.still_there(key);
                    guarded(&unreadables, event, skip, |event| {
                        requeue(handle(&cache, &unreadables, event));
                    });
                }
                Err(error) if list.falls_back(&error) => break,
                Err(error) => match absence(&error) {
                    Some(why) if cache.watch.optional || why == Serving::Missing => {
                        if cache.serving() != why {
                            tracing::info!(%kind, ?why, "The API server does not serve this kind to us; checking again every 30 s.");
                        }
                        requeue(cache.not_served(why));
                        tokio::time::sleep(jittered(RECHECK_INTERVAL)).await;
                        // A new watcher lists again, instead of continuing the old watch.
                        break;
                    }
                    _ => tokio::time::sleep(failures.failed(&error)).await,
                },
            }
        }
    }
}

fn selector(cache: &KindStore, manager: &str) -> String {
    let ours = format!("{}={manager}", labels::MANAGED_BY);
    match (cache.is_owned(), cache.watch.labels) {
        (true, "") => ours,
        (true, labels) => format!("{ours},{labels}"),
        (false, labels) => labels.to_owned(),
    }
}

fn handle(cache: &KindStore, unreadables: &Unreadables, event: Event<RawObject>) -> Vec<Requeue> {
    match event {
        Event::Apply(object) | Event::InitApply(object) => {
            let key = object.key();
            // No controller reads fields of related objects that are nested this deep.
            match object.error() {
                Some(error) => unreadables.found(&key, &object.metadata, &error),
                None => unreadables.forget(&key),
            }
            cache.observe(object.dynamic())
        }
        Event::Delete(object) => {
            unreadables.forget(&object.key());
            cache.observe_deletion(&object.dynamic())
        }
        Event::Init => {
            unreadables.relist_began();
            cache.relist_began();
            Vec::new()
        }
        Event::InitDone => {
            unreadables.relist_done();
            cache.relist_done()
        }
    }
}

/// Handles an event. An object on which a function panics is skipped and reported, instead of ending the process.
fn guarded(
    unreadables: &Unreadables,
    event: Event<RawObject>,
    skip: impl FnOnce(&ObjectKey),
    handle: impl FnOnce(Event<RawObject>),
) {
    let about = match &event {
        Event::Apply(object) | Event::InitApply(object) | Event::Delete(object) => {
            let ObjectMeta {
                name,
                namespace,
                uid,
                resource_version,
                ..
            } = &object.metadata;
            Some(ObjectMeta {
                name: name.clone(),
                namespace: namespace.clone(),
                uid: uid.clone(),
                resource_version: resource_version.clone(),
                ..ObjectMeta::default()
            })
        }
        Event::Init | Event::InitDone => None,
    };
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| handle(event))) else {
        return;
    };
    metrics::panicked(unreadables.controller);
    let message = format!("the controller panicked: {}", panics::message(&*panic));
    match about {
        Some(metadata) => {
            let key = ObjectKey::new(
                metadata.namespace.clone().unwrap_or_default(),
                metadata.name.clone().unwrap_or_default(),
            );
            let path = String::new();
            unreadables.found(&key, &metadata, &DecodeError { path, message });
            skip(&key);
        }
        None => tracing::error!(kind = %unreadables.kind, message, "Cannot handle an event."),
    }
}

/// Whether an error means that the kind is not served to us.
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

/// An event of the resources that are reconciled.
pub(crate) enum ResourceEvent<K> {
    /// One was added or changed.
    Readable(Box<K>),
    /// One was added or changed, and cannot be read.
    Unreadable(Box<Unreadable<K>>),
    /// One was deleted.
    Deleted(Box<ObjectMeta>),
    /// A list begins.
    ListBegan,
    /// The list is complete.
    ListDone,
}

/// Feeds the events of the reconciled kind to `handle`.
pub(crate) async fn watch_resources<K>(
    client: Client,
    unreadables: Arc<Unreadables>,
    largest: usize,
    handle: impl Fn(ResourceEvent<K>),
) where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut failures = Failures::new(unreadables.kind.plural);
    let mut list = ListWatch {
        api: Api::all_with(client, &api_resource::<K>()),
        labels: String::new(),
        fields: String::new(),
        paged: false,
    };
    loop {
        let mut events = list.events();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    failures.succeeded(&event);
                    // It is in the store already: only the other affected resources are unknown.
                    let skip = |_: &ObjectKey| {};
                    guarded(&unreadables, event, skip, |event| {
                        handle(resource_event(&unreadables, largest, event));
                    });
                }
                Err(error) if list.falls_back(&error) => break,
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

fn resource_event<K>(unreadables: &Unreadables, largest: usize, event: Event<RawObject>) -> ResourceEvent<K>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    match event {
        Event::Apply(object) | Event::InitApply(object) => {
            let key = object.key();
            match object.typed_within(largest) {
                Ok(object) => {
                    unreadables.forget(&key);
                    ResourceEvent::Readable(Box::new(object))
                }
                Err(unreadable) => {
                    unreadables.found(&key, &unreadable.metadata, &unreadable.error);
                    ResourceEvent::Unreadable(unreadable)
                }
            }
        }
        Event::Delete(object) => {
            unreadables.forget(&object.key());
            ResourceEvent::Deleted(Box::new(object.metadata))
        }
        Event::Init => {
            unreadables.relist_began();
            ResourceEvent::ListBegan
        }
        Event::InitDone => {
            unreadables.relist_done();
            ResourceEvent::ListDone
        }
    }
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

    /// An event arrived. The beginning or first page of a list is no success: the rest may fail repeatedly.
    fn succeeded(&mut self, event: &Event<RawObject>) {
        if matches!(event, Event::Init | Event::InitApply(_)) {
            return;
        }
        if self.count > 1 {
            tracing::info!(kind = self.what, "Watch works again.");
        }
        self.count = 0;
    }

    fn failed(&mut self, error: &watcher::Error) -> Duration {
        self.count = self.count.saturating_add(1);
        // A watch that ends after a while is normal, and resumed; repeated failures are logged.
        if self.count == 2 || self.count.is_multiple_of(20) {
            tracing::warn!(kind = self.what, attempts = self.count, %error, "Watch failed; retrying.");
        }
        jittered((Duration::from_millis(250) * (1_u32 << self.count.min(8))).min(MAX_DELAY))
    }
}

#[cfg(test)]
mod tests;

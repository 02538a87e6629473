//! A list of the objects of a kind, followed by a watch without end.
//!
//! The list is a stream (`sendInitialEvents`): one request for each kind, however many objects, with one object in
//! memory at a time. It is a consistent read, because `resourceVersion` is unset. If the API server rejects such a
//! stream, kube's watcher lists by pages instead.

use std::{io::ErrorKind, time::Duration};

use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use kube::{
    Api, Error as ClientError,
    api::WatchParams,
    core::WatchEvent,
    runtime::watcher::{self, Event, watcher},
};

use crate::object::reading::RawObject;

/// Objects per page, if the API server rejects a stream: a whole page is in memory.
const PAGE_OBJECTS: u32 = 20;
/// Timeout of one watch, in seconds.
const WATCH_SECONDS: u32 = 290;
/// How long after that timeout a watch without events counts as broken.
const MARGIN: Duration = Duration::from_secs(5);
/// Maximum time between events of the list. An API server without support for such streams never sends the end.
const LIST_STALLED: Duration = Duration::from_secs(30);
/// Annotation of the bookmark after the last object of the list.
const INITIAL_END: &str = "k8s.io/initial-events-end";

/// A list and watch of some objects.
#[derive(Clone)]
pub(crate) struct ListWatch {
    pub(crate) api: Api<RawObject>,
    pub(crate) labels: String,
    pub(crate) fields: String,
    /// Whether the API server has refused to stream a list.
    pub(crate) paged: bool,
}

type Events = BoxStream<'static, kube::Result<WatchEvent<RawObject>>>;

/// State of the stream.
enum State {
    /// No list yet.
    Empty,
    /// During the list.
    Initial(Events),
    /// Complete up to this version.
    Known(String),
    /// During a watch from this version.
    Watching(String, Events),
}

/// The event of a step, and the next state.
type Step = (Option<watcher::Result<Event<RawObject>>>, State);

impl ListWatch {
    /// All events from now on. The stream ends after an error with which it [falls back](Self::falls_back); call this
    /// again then.
    pub(crate) fn events(&self) -> BoxStream<'static, watcher::Result<Event<RawObject>>> {
        if self.paged {
            let config = watcher::Config::default()
                .page_size(PAGE_OBJECTS)
                .labels(&self.labels)
                .fields(&self.fields);
            return watcher(self.api.clone(), config).boxed();
        }
        let begin = (self.clone(), Some(State::Empty));
        stream::unfold(begin, |(list, state)| async move {
            let mut state = state?;
            loop {
                match list.step(state).await {
                    (None, next) => state = next,
                    (Some(Err(error)), _) if is_refused(&error) => return Some((Err(error), (list, None))),
                    (Some(event), next) => return Some((event, (list, Some(next)))),
                }
            }
        })
        .boxed()
    }

    /// Whether the API server does not stream lists: it rejects the request, or never sends the end of the list. From
    /// then on we request pages.
    pub(crate) fn falls_back(&mut self, error: &watcher::Error) -> bool {
        let falls_back = !self.paged && is_refused(error);
        if falls_back {
            tracing::info!(%error, "The API server does not stream this list; listing by pages.");
            self.paged = true;
        }
        falls_back
    }

    async fn step(&self, state: State) -> Step {
        match state {
            State::Empty => match self.watch(true, "").await {
                Ok(events) => (Some(Ok(Event::Init)), State::Initial(events)),
                Err(error) => (Some(Err(watcher::Error::WatchStartFailed(error))), State::Empty),
            },
            State::Initial(events) => initial(events).await,
            State::Known(version) => match self.watch(false, &version).await {
                Ok(events) => (None, State::Watching(version, events)),
                Err(error) => {
                    let next = if code(&error) == Some(410) {
                        State::Empty
                    } else {
                        State::Known(version)
                    };
                    (Some(Err(watcher::Error::WatchStartFailed(error))), next)
                }
            },
            State::Watching(version, events) => changes(version, events).await,
        }
    }

    async fn watch(&self, initial: bool, version: &str) -> kube::Result<Events> {
        let params = WatchParams {
            label_selector: Some(self.labels.clone()).filter(|selector| !selector.is_empty()),
            field_selector: Some(self.fields.clone()).filter(|selector| !selector.is_empty()),
            timeout: Some(WATCH_SECONDS),
            bookmarks: true,
            send_initial_events: initial,
        };
        Ok(self.api.watch(&params, version).await?.boxed())
    }
}

/// The next event of the list. Changes may come before its end, up to the version of the list.
async fn initial(mut events: Events) -> Step {
    let Ok(next) = tokio::time::timeout(LIST_STALLED, events.try_next()).await else {
        return (Some(Err(broken(ErrorKind::TimedOut))), State::Empty);
    };
    match next {
        Ok(Some(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
            (Some(Ok(Event::InitApply(object))), State::Initial(events))
        }
        Ok(Some(WatchEvent::Deleted(object))) => (Some(Ok(Event::Delete(object))), State::Initial(events)),
        Ok(Some(WatchEvent::Bookmark(bookmark))) => {
            if bookmark.metadata.annotations.contains_key(INITIAL_END) {
                let version = bookmark.metadata.resource_version;
                (Some(Ok(Event::InitDone)), State::Watching(version, events))
            } else {
                (None, State::Initial(events))
            }
        }
        Ok(Some(WatchEvent::Error(status))) => (
            Some(Err(watcher::Error::WatchError(status.boxed()))),
            State::Empty,
        ),
        // Start again: objects that were left out would count as deleted.
        Err(error) => (Some(Err(watcher::Error::WatchFailed(error))), State::Empty),
        Ok(None) => (Some(Err(broken(ErrorKind::UnexpectedEof))), State::Empty),
    }
}

/// The error of a list that ended early.
fn broken(why: ErrorKind) -> watcher::Error {
    watcher::Error::WatchFailed(ClientError::ReadEvents(why.into()))
}

/// The next change.
async fn changes(version: String, mut events: Events) -> Step {
    let alive = Duration::from_secs(u64::from(WATCH_SECONDS)) + MARGIN;
    let Ok(next) = tokio::time::timeout(alive, events.try_next()).await else {
        return (None, State::Known(version));
    };
    match next {
        Ok(Some(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
            change(object, Event::Apply, events)
        }
        Ok(Some(WatchEvent::Deleted(object))) => change(object, Event::Delete, events),
        Ok(Some(WatchEvent::Bookmark(bookmark))) => {
            (None, State::Watching(bookmark.metadata.resource_version, events))
        }
        Ok(Some(WatchEvent::Error(status))) => {
            let next = if status.code == 410 {
                State::Empty
            } else {
                State::Known(version)
            };
            (Some(Err(watcher::Error::WatchError(status.boxed()))), next)
        }
        Err(error) => (
            Some(Err(watcher::Error::WatchFailed(error))),
            State::Known(version),
        ),
        Ok(None) => (None, State::Known(version)),
    }
}

fn change(object: RawObject, event: fn(RawObject) -> Event<RawObject>, events: Events) -> Step {
    match object.metadata.resource_version.clone() {
        Some(version) if !version.is_empty() => (Some(Ok(event(object))), State::Watching(version, events)),
        _ => (Some(Err(watcher::Error::NoResourceVersion)), State::Empty),
    }
}

fn is_refused(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchStartFailed(error) => matches!(code(error), Some(400 | 422)),
        watcher::Error::WatchFailed(ClientError::ReadEvents(error)) => error.kind() == ErrorKind::TimedOut,
        _ => false,
    }
}

fn code(error: &ClientError) -> Option<u16> {
    match error {
        ClientError::Api(status) => Some(status.code),
        _ => None,
    }
}

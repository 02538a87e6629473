//! Objects of a kind that cannot be read, or only in part: reported once in the log and as an event on the object, and
//! counted.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use idp_core::{Kind, ObjectKey};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::core::ObjectMeta;
use tokio::time::Instant;

use crate::{object::reading::DecodeError, observability::events::Events, reasons};

/// Log lines a minute for each kind: a tenant may have thousands of such objects, and change them all the time.
const LINES_PER_MINUTE: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);

/// Those of one watch.
pub(crate) struct Unreadables {
    pub(crate) controller: &'static str,
    pub(crate) kind: Kind,
    events: Events,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: HashMap<ObjectKey, (Option<String>, DecodeError)>,
    /// RawObject since the current list began.
    seen: Option<HashSet<ObjectKey>>,
    minute: Option<Instant>,
    lines: u32,
}

impl Unreadables {
    pub(crate) fn new(controller: &'static str, kind: Kind, events: Events) -> Arc<Self> {
        Arc::new(Self {
            controller,
            kind,
            events,
            state: Mutex::default(),
        })
    }

    /// An object cannot be read. Reported again only if the error changes.
    pub(crate) fn found(&self, key: &ObjectKey, metadata: &ObjectMeta, error: &DecodeError) {
        let mut state = self.lock();
        if let Some(seen) = &mut state.seen {
            seen.insert(key.clone());
        }
        let found = (metadata.uid.clone(), error.clone());
        if state.known.get(key) == Some(&found) {
            return;
        }
        state.known.insert(key.clone(), found);
        if state.may_log() {
            let version = metadata.resource_version.as_deref().unwrap_or_default();
            tracing::warn!(controller = self.controller, kind = %self.kind, object = %key, version, %error,
                "Cannot read this object; the others are not affected.");
        }
        drop(state);
        let about = ObjectReference {
            api_version: Some(self.kind.api_version()),
            kind: Some(self.kind.kind.to_owned()),
            name: metadata.name.clone(),
            namespace: metadata.namespace.clone(),
            uid: metadata.uid.clone(),
            resource_version: metadata.resource_version.clone(),
            ..ObjectReference::default()
        };
        let note = format!("{} cannot read this {}: {error}", self.controller, self.kind);
        self.events.warn(&about, reasons::UNREADABLE.name, note);
    }

    /// An object can be read, or is gone.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        let mut state = self.lock();
        if !state.known.is_empty() {
            state.known.remove(key);
        }
    }

    pub(crate) fn relist_began(&self) {
        self.lock().seen = Some(HashSet::new());
    }

    pub(crate) fn relist_done(&self) {
        let mut state = self.lock();
        if let Some(seen) = state.seen.take() {
            state.known.retain(|key, _| seen.contains(key));
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().known.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_log(&mut self) -> bool {
        let now = Instant::now();
        if self.minute.is_none_or(|began| now - began >= MINUTE) {
            self.minute = Some(now);
            self.lines = 0;
        }
        self.lines += 1;
        if self.lines == LINES_PER_MINUTE + 1 {
            tracing::warn!(
                "No more such objects are logged in this minute. The metric idp_unreadable_objects counts them."
            );
        }
        self.lines <= LINES_PER_MINUTE
    }
}

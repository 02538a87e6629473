//! Kubernetes events, made of the difference between two statuses: retries and restarts repeat none.

use idp_core::{Problem, condition};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder};
use tokio::sync::mpsc;

use idp_core::StatusView;

/// Events waiting to be sent; more than this at once says nothing to anybody.
const BACKLOG: usize = 256;
/// Longest note that the API server takes.
const NOTE: usize = 1000;

/// Hands events to a task of their own: an API server that takes none holds up no reconcile.
#[derive(Clone)]
pub(crate) struct Events {
    sender: mpsc::Sender<(Event, ObjectReference)>,
}

impl Events {
    /// The sender, and the task that sends until every sender is gone.
    pub(crate) fn new(recorder: Recorder) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (sender, mut receiver) = mpsc::channel::<(Event, ObjectReference)>(BACKLOG);
        let task = async move {
            while let Some((event, about)) = receiver.recv().await {
                if let Err(error) = recorder.publish(&event, &about).await {
                    tracing::debug!(%error, reason = event.reason, "event was not taken");
                }
            }
        };
        (Self { sender }, task)
    }

    /// Sends a warning about an object.
    pub(crate) fn warn(&self, about: &ObjectReference, reason: &str, note: String) {
        let event = event(EventType::Warning, reason, note);
        if self.sender.try_send((event, about.clone())).is_err() {
            tracing::debug!("too many events at once; one is dropped");
        }
    }

    /// Sends what changed between two statuses of a resource.
    pub(crate) fn transition<S: StatusView>(&self, about: &ObjectReference, previous: Option<&S>, next: &S) {
        for event in changes(previous, next) {
            if self.sender.try_send((event, about.clone())).is_err() {
                tracing::debug!("too many events at once; one is dropped");
            }
        }
    }
}

fn changes<S: StatusView>(previous: Option<&S>, next: &S) -> Vec<Event> {
    let known = previous.map(StatusView::problems).unwrap_or_default();
    let is_new = |problem: &&Problem| {
        !known
            .iter()
            .any(|old| old.reason == problem.reason && old.path == problem.path)
    };
    let mut events: Vec<Event> = next.problems().iter().filter(is_new).map(warning).collect();
    let ready = next
        .conditions()
        .iter()
        .find(|condition| condition.type_ == condition::READY);
    if let Some(ready) = ready.filter(|ready| ready.is_true()) {
        let was = previous.map(StatusView::conditions).unwrap_or_default();
        if !was
            .iter()
            .any(|old| old.type_ == condition::READY && old.is_true())
        {
            events.push(event(EventType::Normal, "Ready", ready.message.clone()));
        }
    }
    events
}

fn warning(problem: &Problem) -> Event {
    event(EventType::Warning, &problem.reason, problem.to_string())
}

fn event(type_: EventType, reason: &str, mut note: String) -> Event {
    if note.len() > NOTE {
        let cut = (0..=NOTE)
            .rev()
            .find(|index| note.is_char_boundary(*index))
            .unwrap_or_default();
        note.truncate(cut);
        note.push('…');
    }
    Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note),
        action: "Reconcile".to_owned(),
        secondary: None,
    }
}

#[cfg(test)]
mod tests {
    use idp_core::{Condition, ConditionSet};
    use jiff::Timestamp;

    use super::*;

    struct Status(Vec<Condition>, Vec<Problem>);

    impl StatusView for Status {
        fn conditions(&self) -> &[Condition] {
            &self.0
        }
        fn problems(&self) -> &[Problem] {
            &self.1
        }
    }

    fn status(ready: bool, problems: Vec<Problem>) -> Status {
        let conditions =
            ConditionSet::new(&[], None, Timestamp::UNIX_EPOCH).set(condition::READY, ready, "Any", "");
        Status(conditions.finish(), problems)
    }

    #[test]
    fn only_transitions_make_events() {
        let taken = || Problem::error("HostTaken", "a.example.com").at("spec.routes[0].host");
        let reasons = |previous: Option<&Status>, next: &Status| -> Vec<String> {
            changes(previous, next)
                .into_iter()
                .map(|event| event.reason)
                .collect()
        };
        let (bad, good) = (status(false, vec![taken()]), status(true, Vec::new()));
        assert_eq!(reasons(None, &bad), ["HostTaken"]);
        assert!(reasons(Some(&bad), &bad).is_empty());
        assert_eq!(reasons(Some(&bad), &good), ["Ready"]);
        assert!(reasons(Some(&good), &good).is_empty());
    }

    #[test]
    fn long_notes_are_cut_at_a_character() {
        let note = event(EventType::Normal, "Any", "ü".repeat(2000)).note.unwrap();
        assert!(note.len() <= 1024 && note.ends_with('…'));
    }
}

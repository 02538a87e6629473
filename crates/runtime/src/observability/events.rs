//! Kubernetes events, made of the difference between two statuses: retries and restarts repeat none.

use idp_core::{Condition, Problem, condition};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use tokio::sync::mpsc;

use idp_core::StatusView;

/// Events waiting to be sent; more than this at once would help nobody.
const BACKLOG: usize = 256;
/// How many events the recorder remembers, to count repetitions: at each event it looks through all of them.
const REMEMBERED: usize = 256;
/// Longest note, in bytes: the API server accepts 1 KiB.
const MAX_NOTE_BYTES: usize = 1000;

/// Hands events to a task of their own: an API server that takes none holds up no reconcile.
#[derive(Clone)]
pub(crate) struct Events {
    sender: mpsc::Sender<(Event, ObjectReference)>,
}

impl Events {
    /// The sender, and the task that sends until every sender is gone.
    pub(crate) fn new(
        client: Client,
        reporter: Reporter,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (sender, mut receiver) = mpsc::channel::<(Event, ObjectReference)>(BACKLOG);
        let task = async move {
            let recorder = || Recorder::new(client.clone(), reporter.clone());
            let (mut recorder_now, mut sent) = (recorder(), 0);
            while let Some((event, about)) = receiver.recv().await {
                if sent == REMEMBERED {
                    (recorder_now, sent) = (recorder(), 0);
                }
                sent += 1;
                if let Err(error) = recorder_now.publish(&event, &about).await {
                    tracing::debug!(%error, reason = event.reason, "Cannot send an event.");
                }
            }
        };
        (Self { sender }, task)
    }

    /// Sends a warning about an object.
    pub(crate) fn warn(&self, about: &ObjectReference, reason: &str, note: String) {
        let event = event(EventType::Warning, reason, note);
        if self.sender.try_send((event, about.clone())).is_err() {
            tracing::debug!("Too many events at once; one is dropped.");
        }
    }

    /// Sends what changed between two statuses of a resource.
    pub(crate) fn transition<S: StatusView>(&self, about: &ObjectReference, previous: Option<&S>, next: &S) {
        for event in changes(previous, next) {
            if self.sender.try_send((event, about.clone())).is_err() {
                tracing::debug!("Too many events at once; one is dropped.");
            }
        }
    }
}

/// One event when a resource becomes ready, with the warnings that come with it; otherwise one for each new problem. While
/// work is under way, warnings are no news: they are told with what comes of it.
fn changes<S: StatusView>(previous: Option<&S>, next: &S) -> Vec<Event> {
    let known = previous.map(StatusView::problems).unwrap_or_default();
    let is_new = |problem: &&Problem| {
        !known
            .iter()
            .any(|old| old.reason == problem.reason && old.path == problem.path)
    };
    let new = next.problems().iter().filter(is_new);
    let (errors, warnings): (Vec<&Problem>, Vec<&Problem>) = new.partition(|problem| problem.is_error());
    let mut events: Vec<Event> = errors.into_iter().map(warning).collect();
    let was_ready = previous.is_some_and(|previous| find(previous, condition::READY).is_some());
    match find(next, condition::READY) {
        Some(ready) if !was_ready => {
            let lines = std::iter::once(ready.message.clone());
            let told = next
                .problems()
                .iter()
                .map(|problem| format!("{}: {problem}", problem.reason));
            let note = lines.chain(told).collect::<Vec<_>>().join("\n");
            events.push(event(EventType::Normal, "Ready", note));
        }
        _ if find(next, condition::RECONCILING).is_some() => {}
        _ => events.extend(warnings.into_iter().map(warning)),
    }
    events
}

/// The condition, if it is true.
fn find<'a, S: StatusView>(status: &'a S, type_: &str) -> Option<&'a Condition> {
    let mut conditions = status.conditions().iter();
    conditions.find(|condition| condition.type_ == type_ && condition.is_true())
}

fn warning(problem: &Problem) -> Event {
    event(EventType::Warning, &problem.reason, problem.to_string())
}

fn event(type_: EventType, reason: &str, mut note: String) -> Event {
    if note.len() > MAX_NOTE_BYTES {
        let cut = (0..=MAX_NOTE_BYTES)
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
    use idp_core::{ConditionSet, reason::shared};
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
        let taken = || Problem::error(shared::HOST_TAKEN, "a.example.com").at("spec.routes[0].host");
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
    fn becoming_ready_is_one_event_with_its_warnings() {
        let warning = || {
            Problem::warning(shared::NO_ISSUER, "the platform team makes the secret").at("spec.routes[0].tls")
        };
        let working = |problems| {
            let conditions = ConditionSet::new(&[], None, Timestamp::UNIX_EPOCH)
                .set(condition::READY, false, "RollingOut", "0 of 1 pods are ready")
                .set(condition::RECONCILING, true, "RollingOut", "")
                .finish();
            Status(conditions, problems)
        };
        let ready = status(true, vec![warning()]);
        assert!(changes(None, &working(vec![warning()])).is_empty());
        for previous in [None, Some(&working(vec![warning()]))] {
            let events = changes(previous, &ready);
            assert_eq!(events.len(), 1);
            let note = events[0].note.as_deref().unwrap();
            assert_eq!(events[0].reason, "Ready");
            assert!(
                note.contains("NoIssuer: spec.routes[0].tls: the platform team"),
                "{note}"
            );
        }
        // One that comes later is told by itself.
        let later = changes(Some(&status(true, Vec::new())), &ready);
        assert_eq!((later.len(), later[0].reason.as_str()), (1, "NoIssuer"));
        // An error is never told later.
        let failed = changes(
            None,
            &working(vec![Problem::error(crate::reasons::FORBIDDEN, "x"), warning()]),
        );
        assert_eq!((failed.len(), failed[0].reason.as_str()), (1, "Forbidden"));
    }

    #[test]
    fn long_notes_are_cut_at_a_character() {
        let note = event(EventType::Normal, "Any", "ü".repeat(2000)).note.unwrap();
        assert!(note.len() <= 1024 && note.ends_with('…'));
    }
}

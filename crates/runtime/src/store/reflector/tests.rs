use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Mutex,
    task::{Context, Poll},
};

use axum::body::Body as Content;
use http::{Request, Response};
use kube::client::Body;
use serde_json::json;
use tokio::{sync::mpsc, time::Instant};

use super::*;
use crate::{fake::Gadget, object::reading::MAX_BYTES, observability::events::Events};

/// Answers lists and watches from a script; afterwards watches bring nothing more.
#[derive(Clone, Default)]
struct Script {
    /// The objects of each list; a list fails where there is none.
    lists: Arc<Mutex<VecDeque<Vec<String>>>>,
    watches: Arc<Mutex<VecDeque<String>>>,
    /// Whether lists are streamed; they are refused otherwise.
    streams: bool,
    /// Whether it takes them for watches.
    endless: bool,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl tower::Service<Request<Body>> for Script {
    type Response = Response<Content>;
    type Error = Infallible;
    type Future = futures::future::BoxFuture<'static, Result<Response<Content>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let script = self.clone();
        Box::pin(async move {
            let query = request.uri().query().unwrap_or_default();
            let streamed = query.contains("sendInitialEvents=true");
            if streamed && script.endless {
                let nothing = futures::stream::pending::<Result<Vec<u8>, Infallible>>();
                return Ok(Response::new(Content::from_stream(nothing)));
            }
            if streamed && !script.streams {
                let status = json!({"kind": "Status", "status": "Failure", "code": 422, "reason": "Invalid",
                    "message": "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"});
                return Ok(answer(422, status.to_string()));
            }
            if query.contains("watch=") && !streamed {
                let Some(lines) = script.watches.lock().unwrap().pop_front() else {
                    return std::future::pending().await;
                };
                return Ok(Response::new(Content::from(lines)));
            }
            script.asked.lock().unwrap().push(Instant::now());
            let Some(items) = script.lists.lock().unwrap().pop_front() else {
                let status = json!({"kind": "Status", "status": "Failure", "code": 500, "message": "no"});
                return Ok(answer(500, status.to_string()));
            };
            if !streamed {
                return Ok(answer(200, page(&items)));
            }
            let changes = script.watches.lock().unwrap().pop_front().unwrap_or_default();
            Ok(answer(200, lines(&items) + &changes))
        })
    }
}

fn answer(code: u16, text: String) -> Response<Content> {
    let body = Content::from(text);
    Response::builder().status(code).body(body).unwrap()
}

/// The list as a page.
fn page(items: &[String]) -> String {
    let items = items.join(",");
    format!(
        r#"{{"kind":"GadgetList","apiVersion":"test.idp.dev/v1","metadata":{{"resourceVersion":"50"}},"items":[{items}]}}"#
    )
}

/// The list as a stream, with its end.
fn lines(items: &[String]) -> String {
    let mut lines: String = items
        .iter()
        .map(|item| format!("{{\"type\":\"ADDED\",\"object\":{item}}}\n"))
        .collect();
    let end = json!({"type": "BOOKMARK", "object": {"apiVersion": "test.idp.dev/v1", "kind": "Gadget",
        "metadata": {"resourceVersion": "50", "annotations": {"k8s.io/initial-events-end": "true"}}}});
    lines += &format!("{end}\n");
    lines
}

fn deep(levels: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

fn gadget(name: &str, version: u32, spec: &str) -> String {
    format!(
        r#"{{"apiVersion":"test.idp.dev/v1","kind":"Gadget","metadata":{{"name":"{name}","namespace":"shop","uid":"uid-{name}","resourceVersion":"{version}"}},"spec":{spec}}}"#
    )
}

fn unreadables() -> Arc<Unreadables> {
    let reporter = kube::runtime::events::Reporter::from("tests");
    let (events, _task) = Events::new(Client::new(Script::default(), "default"), reporter);
    Unreadables::new("idp-tests", crate::fake::GADGET, events)
}

fn watch(script: &Script, unreadables: &Arc<Unreadables>) -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let client = Client::new(script.clone(), "default");
    let handle = move |event: ResourceEvent<Gadget>| {
        let said = match event {
            ResourceEvent::Readable(gadget) => format!("read {}", gadget.metadata.name.unwrap()),
            ResourceEvent::Unreadable(unreadable) => {
                format!("unreadable {}: {}", unreadable.key().name, unreadable.error.path)
            }
            ResourceEvent::Deleted(metadata) => format!("gone {}", metadata.name.unwrap()),
            ResourceEvent::ListBegan => "list".to_owned(),
            ResourceEvent::ListDone => "done".to_owned(),
        };
        assert_ne!(said, "read poison", "as a fault of a controller may be");
        sender.send(said).unwrap();
    };
    tokio::spawn(watch_resources::<Gadget>(
        client,
        unreadables.clone(),
        MAX_BYTES,
        handle,
    ));
    receiver
}

async fn next(receiver: &mut mpsc::UnboundedReceiver<String>, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(receiver.recv().await.unwrap());
    }
    all
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_object_hides_and_delays_no_other() {
    for streams in [true, false] {
        hides_and_delays_no_other(Script {
            streams,
            ..Script::default()
        })
        .await;
    }
}

async fn hides_and_delays_no_other(script: Script) {
    let bad = |version| gadget("deep", version, &format!(r#"{{"free":{}}}"#, deep(200)));
    let typed = gadget("typed", 3, r#"{"count":9999999999}"#);
    let items = [
        gadget("one", 1, "{}"),
        bad(2),
        typed,
        gadget("poison", 5, "{}"),
        gadget("two", 4, "{}"),
    ];
    script.lists.lock().unwrap().push_back(items.into());
    let mut lines: Vec<String> = (0..10)
        .map(|index| format!(r#"{{"type":"MODIFIED","object":{}}}"#, bad(60 + index)))
        .collect();
    lines.push(format!(
        r#"{{"type":"ADDED","object":{}}}"#,
        gadget("three", 71, "{}")
    ));
    lines.push(format!(r#"{{"type":"DELETED","object":{}}}"#, bad(72)));
    script.watches.lock().unwrap().push_back(lines.join("\n") + "\n");

    let unreadables = unreadables();
    let began = Instant::now();
    let mut receiver = watch(&script, &unreadables);
    let listed = [
        "list",
        "read one",
        "unreadable deep: spec.free.a.a…",
        "unreadable typed: spec.count",
        "read two",
        "done",
    ];
    assert_eq!(next(&mut receiver, 6).await, listed);
    let watched = next(&mut receiver, 12).await;
    assert!(
        watched[..10]
            .iter()
            .all(|said| said == "unreadable deep: spec.free.a.a…")
    );
    assert_eq!(watched[10..], ["read three", "gone deep"]);
    assert_eq!(
        began.elapsed(),
        Duration::ZERO,
        "nothing waits for what cannot be read"
    );
    assert_eq!(
        unreadables.count(),
        2,
        "the one of another type, and the one at which the controller panics"
    );
    assert_eq!(
        script.asked.lock().unwrap().len(),
        1,
        "and nothing is listed again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_fails_backs_off() {
    for streams in [true, false] {
        fails_and_backs_off(Script {
            streams,
            ..Script::default()
        })
        .await;
    }
}

/// An API server that does not know such streams begins a watch, and never tells that it was complete.
#[tokio::test(start_paused = true)]
async fn a_stream_without_an_end_is_asked_for_by_pages() {
    let script = Script {
        endless: true,
        ..Script::default()
    };
    script
        .lists
        .lock()
        .unwrap()
        .push_back(vec![gadget("one", 1, "{}")]);
    let began = Instant::now();
    let mut receiver = watch(&script, &unreadables());
    assert_eq!(next(&mut receiver, 4).await, ["list", "list", "read one", "done"]);
    assert!(began.elapsed() < Duration::from_secs(60));
}

/// Changes come before the end of a stream too, up to the version that it promises.
#[tokio::test(start_paused = true)]
async fn what_goes_while_a_list_is_streamed_is_gone() {
    let script = Script {
        streams: true,
        ..Script::default()
    };
    let gone = format!(
        "{}}}\n{{\"type\":\"DELETED\",\"object\":{}",
        gadget("one", 1, "{}"),
        gadget("one", 2, "{}")
    );
    script
        .lists
        .lock()
        .unwrap()
        .push_back(vec![gone, gadget("two", 3, "{}")]);
    let mut receiver = watch(&script, &unreadables());
    assert_eq!(
        next(&mut receiver, 5).await,
        ["list", "read one", "gone one", "read two", "done"]
    );
    assert_eq!(
        script.asked.lock().unwrap().len(),
        1,
        "one request for all of them"
    );
}

async fn fails_and_backs_off(script: Script) {
    let mut receiver = watch(&script, &unreadables());
    tokio::time::sleep(Duration::from_secs(120)).await;
    let asked = script.asked.lock().unwrap().len();
    assert!((5..16).contains(&asked), "{asked} lists in two minutes");
    script.lists.lock().unwrap().push_back(Vec::new());
    while receiver.recv().await.unwrap() != "done" {}
}

#[tokio::test]
async fn what_cannot_be_read_is_named_once_and_floods_no_log() {
    let unreadables = unreadables();
    let error = DecodeError {
        path: "spec".into(),
        message: "no".into(),
    };
    for index in 0..1000 {
        let name = format!("gadget-{index}");
        let metadata = ObjectMeta {
            name: Some(name.clone()),
            ..ObjectMeta::default()
        };
        unreadables.found(&ObjectKey::new("shop", name), &metadata, &error);
    }
    assert_eq!(unreadables.count(), 1000);
    unreadables.relist_began();
    unreadables.relist_done();
    assert_eq!(unreadables.count(), 0);
}

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Mutex,
    task::{Context, Poll},
};

use http::{Request, Response};
use kube::client::Body;
use serde_json::json;
use tokio::{sync::mpsc, time::Instant};

use super::*;
use crate::{fake::Gadget, object::reading::MAX_BYTES, observability::events::Events};

/// Answers lists and watches from a script; afterwards watches bring nothing more.
#[derive(Clone, Default)]
struct Script {
    lists: Arc<Mutex<VecDeque<(u16, String)>>>,
    watches: Arc<Mutex<VecDeque<String>>>,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl tower::Service<Request<Body>> for Script {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = futures::future::BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let script = self.clone();
        Box::pin(async move {
            if request.uri().query().unwrap_or_default().contains("watch=") {
                let Some(lines) = script.watches.lock().unwrap().pop_front() else {
                    return std::future::pending().await;
                };
                return Ok(Response::new(Body::from(lines.into_bytes())));
            }
            script.asked.lock().unwrap().push(Instant::now());
            let next = script.lists.lock().unwrap().pop_front();
            let (code, text) = next.unwrap_or_else(|| {
                (
                    500,
                    json!({"kind": "Status", "status": "Failure", "code": 500, "message": "no"}).to_string(),
                )
            });
            Ok(Response::builder()
                .status(code)
                .body(Body::from(text.into_bytes()))
                .unwrap())
        })
    }
}

fn deep(levels: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

fn gadget(name: &str, version: u32, spec: &str) -> String {
    format!(
        r#"{{"apiVersion":"test.idp.dev/v1","kind":"Gadget","metadata":{{"name":"{name}","namespace":"shop","uid":"uid-{name}","resourceVersion":"{version}"}},"spec":{spec}}}"#
    )
}

fn list(items: &[String]) -> (u16, String) {
    let items = items.join(",");
    (
        200,
        format!(
            r#"{{"kind":"GadgetList","apiVersion":"test.idp.dev/v1","metadata":{{"resourceVersion":"50"}},"items":[{items}]}}"#
        ),
    )
}

fn unreadables() -> Arc<Unreadables> {
    let reporter = kube::runtime::events::Reporter::from("tests");
    let recorder = kube::runtime::events::Recorder::new(Client::new(Script::default(), "default"), reporter);
    let (events, _task) = Events::new(recorder);
    Unreadables::new("idp-tests", crate::fake::GADGET, events)
}

fn watch(script: &Script, unreadables: &Arc<Unreadables>) -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let client = Client::new(script.clone(), "default");
    let handle = move |sight: Sight<Gadget>| {
        let said = match sight {
            Sight::Readable(gadget) => format!("read {}", gadget.metadata.name.unwrap()),
            Sight::Unreadable(unreadable) => {
                format!("unreadable {}: {}", unreadable.key().name, unreadable.error.path)
            }
            Sight::Gone(metadata) => format!("gone {}", metadata.name.unwrap()),
            Sight::ListBegan => "list".to_owned(),
            Sight::ListDone => "done".to_owned(),
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
    let script = Script::default();
    let bad = |version| gadget("deep", version, &format!(r#"{{"free":{}}}"#, deep(200)));
    let typed = gadget("typed", 3, r#"{"count":9999999999}"#);
    let items = [
        gadget("one", 1, "{}"),
        bad(2),
        typed,
        gadget("poison", 5, "{}"),
        gadget("two", 4, "{}"),
    ];
    script.lists.lock().unwrap().push_back(list(&items));
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
    let script = Script::default();
    let mut receiver = watch(&script, &unreadables());
    tokio::time::sleep(Duration::from_secs(120)).await;
    let asked = script.asked.lock().unwrap().len();
    assert!((5..16).contains(&asked), "{asked} lists in two minutes");
    script.lists.lock().unwrap().push_back(list(&[]));
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

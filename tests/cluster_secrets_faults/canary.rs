//! A secret value appears only in its Secret.

use std::time::{SystemTime, UNIX_EPOCH};

use idp_core::Kind;
use idp_testkit::eventually;
use idp_tests::{EXTERNAL_SECRET, Lab, Pair};
use kube::api::ListParams;
use serde_json::json;

use crate::{alone, collector::Collected};

/// An application's name, which is not secret: it is found in all places where the value must not be.
const MARKER: &str = "canary-shop";
/// The kinds of ours that an application with secrets has.
const OURS: [(&str, &str); 2] = [
    ("WebApplication", "webapplications"),
    ("SecretBinding", "secretbindings"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_value_appears_only_in_its_secret() {
    let alone = alone().await;
    let lab = alone.lab("canary").await;
    let (traces, endpoint) = Collected::start();
    let otlp = format!("--otlp-endpoint={endpoint}");
    let pair = alone.pair(&["--log-level=debug", &otlp]).await;
    let value = value();
    live(&lab, &value).await;
    let logs = format!("{}{}", pair.webapp.log(), pair.bridge.log());
    let metrics = metrics(&pair).await;
    let found = [
        ("events", events(&lab).await, MARKER),
        ("our objects", our_objects(&lab).await, MARKER),
        (
            "ExternalSecrets",
            statuses_of_external_secrets(&lab).await,
            "SecretSynced",
        ),
        ("metrics", metrics, "controller_runtime_reconcile_total"),
    ];
    // Buffered output is written when they end.
    pair.stop().await;
    let more = [("logs", logs, MARKER), ("traces", traces.text(), MARKER)];
    for (place, text, marker) in found.into_iter().chain(more) {
        assert!(text.contains(marker), "the search in the {place} works: {text}");
        for form in forms(&value) {
            assert!(!text.contains(&form), "{form} is in the {place}");
        }
    }
    lab.end_and_wait().await;
}

/// A unique value.
fn value() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("CANARYvalue{now}x{}", std::process::id())
}

/// The forms in which the value could appear: plain, and in base64 at each of three alignments, without the ends that
/// depend on adjacent text.
fn forms(value: &str) -> Vec<String> {
    let encoded = |skip: usize| base64(&value.as_bytes()[skip..skip + (value.len() - skip) / 3 * 3]);
    let mut forms: Vec<String> = (0..3).map(encoded).collect();
    forms.push(value.to_owned());
    forms.push(value.to_lowercase());
    forms
}

fn base64(bytes: &[u8]) -> String {
    // The form in which Kubernetes writes bytes.
    let bytes = k8s_openapi::ByteString(bytes.to_vec());
    serde_json::to_value(bytes).unwrap().as_str().unwrap().to_owned()
}

/// Sends the value on all paths, including those that fail.
async fn live(lab: &Lab, value: &str) {
    lab.put(MARKER, "db", &json!({ "password": value })).await;
    // Not of the requested form: External Secrets reports its content as invalid.
    lab.put(MARKER, "text", &json!(value)).await;
    let spec = json!({ "secrets": [
        { "name": "db", "refreshInterval": "2s" },
        { "name": "key", "remoteKey": "db", "refreshInterval": "2s", "keys": [{ "property": "password", "env": "KEY" }] },
        { "name": "files", "remoteKey": "db", "mountPath": "/etc/keys" },
        { "name": "url", "remoteKey": "db", "template": { "URL": "https://x:{{ .password }}@db" } },
    ]});
    lab.create(MARKER, spec).await;
    lab.ready(MARKER).await;
    let held = lab.secret(&format!("{MARKER}-secret-db")).await.unwrap();
    assert_eq!(held["password"], value, "the Secret contains the value");
    let generation = lab.generation(MARKER).await;
    lab.put(MARKER, "db", &json!({ "password": format!("{value}-2") }))
        .await;
    eventually("a rollout starts", || async {
        let rolled = lab.generation(MARKER).await > generation;
        rolled.then_some(()).ok_or("not yet")
    })
    .await;
    // Failures in code that has the value.
    let broken = json!({ "secrets": [{ "name": "text", "refreshInterval": "2s" }] });
    lab.change(MARKER, broken).await;
    // The error message quotes the first letter of the value.
    let problem = lab.problem(MARKER, "RemoteSecretNotJson").await;
    assert!(!problem.to_string().contains("invalid character"), "{problem}");
    lab.put("canary-fail", "db", &json!({ "password": value })).await;
    // It fails after the value was read and changed.
    let template = "{{ .password | upper }}{{ .nobody }}";
    let failing = json!({ "secrets": [{ "name": "db", "template": { "X": template } }] });
    lab.create("canary-fail", failing).await;
    lab.problem("canary-fail", "TemplateInvalid").await;
}

/// Events of our kinds; events of others are not ours.
async fn events(lab: &Lab) -> String {
    let event = Kind::namespaced("events.k8s.io", "v1", "Event", "events");
    let listed = lab.objects(event).list(&ListParams::default()).await.unwrap();
    let ours = listed.items.into_iter().filter(|event| {
        let about = event.data["regarding"]["apiVersion"].as_str();
        about.is_some_and(|version| version.starts_with("idp.dev/"))
    });
    ours.map(|event| serde_json::to_string(&event).unwrap()).collect()
}

async fn our_objects(lab: &Lab) -> String {
    let mut text = String::new();
    for (kind, plural) in OURS {
        let kind = Kind::namespaced("idp.dev", "v1alpha1", kind, plural);
        let listed = lab.objects(kind).list(&ListParams::default()).await.unwrap();
        assert!(!listed.items.is_empty(), "{kind}");
        let written = listed
            .items
            .iter()
            .map(|object| serde_json::to_string(object).unwrap());
        text.extend(written);
    }
    text
}

async fn statuses_of_external_secrets(lab: &Lab) -> String {
    // One that is synced, for the marker.
    lab.put("canary-good", "db", &json!({ "password": "p" })).await;
    lab.create("canary-good", crate::with_secret()).await;
    lab.ready("canary-good").await;
    let listed = lab.objects(EXTERNAL_SECRET).list(&ListParams::default()).await;
    let listed = listed.unwrap().items.into_iter();
    listed.map(|object| object.data["status"].to_string()).collect()
}

async fn metrics(pair: &Pair) -> String {
    let (code, webapp) = pair.webapp.get("/metrics").await.unwrap();
    let (other, bridge) = pair.bridge.get("/metrics").await.unwrap();
    assert_eq!((code, other), (200, 200));
    webapp + &bridge
}

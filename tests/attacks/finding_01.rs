//! One deeply nested object must not stop or slow the work for others.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use idp_core::Kind;
use idp_runtime::{Options, Process, grpc::GrpcArgs, reading::RawObject};
use idp_testkit::{NAMESPACE, cli::idp_cli, eventually, eventually_within};
use idp_webapp::{NAME, controller::WebApplicationController};
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::Tenant;

const APPLICATION: Kind = Kind::namespaced("idp.dev", "v1alpha1", "WebApplication", "webapplications");
const BINDING: Kind = Kind::namespaced("idp.dev", "v1alpha1", "CapabilityBinding", "capabilitybindings");
const EVENT: Kind = Kind::namespaced("events.k8s.io", "v1", "Event", "events");

/// An object as text, because our libraries cannot serialise it.
fn text(kind: Kind, metadata: &Value, spec: &str) -> Vec<u8> {
    format!(
        r#"{{"apiVersion":"{}","kind":"{kind}","metadata":{metadata},"spec":{spec}}}"#,
        kind.api_version()
    )
    .into_bytes()
}

fn deep(levels: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
}

/// Creates it with the client's permissions.
async fn post(client: &kube::Client, kind: Kind, namespace: &str, body: Vec<u8>) {
    let uri = format!(
        "/apis/{}/namespaces/{namespace}/{}",
        kind.api_version(),
        kind.plural
    );
    let request = http::Request::post(uri)
        .header("content-type", "application/json")
        .body(body)
        .unwrap();
    client.request_text(request).await.unwrap();
}

async fn deep_application(tenant: &Tenant, name: &str, spec: &str) {
    let body = text(APPLICATION, &json!({ "name": name }), spec);
    post(&tenant.client, APPLICATION, tenant.namespace(), body).await;
}

fn seen(tenant: &Tenant, kind: Kind) -> Api<RawObject> {
    Api::namespaced_with(
        tenant.lab.client.clone(),
        tenant.namespace(),
        &kind.api_resource(),
    )
}

/// The status of an object of any depth.
async fn status(tenant: &Tenant, name: &str) -> Value {
    let found = seen(tenant, APPLICATION).get(name).await.unwrap();
    found.dynamic().data["status"].clone()
}

async fn is_explained(tenant: &Tenant, name: &str, path: &str) {
    eventually(&format!("{name} reports that it is unreadable"), || async {
        let status = status(tenant, name).await;
        let problem = &status["problems"][0];
        let ready = &status["conditions"][0];
        let said = problem["reason"] == "Unreadable"
            && problem["path"]
                .as_str()
                .is_some_and(|found| found.starts_with(path))
            && (&ready["type"], &ready["status"]) == (&json!("Ready"), &json!("False"));
        if said { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    eventually(&format!("{name} has an event"), || async {
        let events: Api<DynamicObject> = tenant.lab.objects(EVENT);
        let found = events
            .list(&ListParams::default())
            .await
            .map_err(|error| error.to_string())?;
        let of_it = |event: &&DynamicObject| {
            event.data["regarding"]["name"] == name && event.data["reason"] == "Unreadable"
        };
        found
            .iter()
            .find(of_it)
            .map(drop)
            .ok_or_else(|| "none".to_owned())
    })
    .await;
}

/// A controller that has just started, in addition to the running one.
struct Started(SocketAddr, tokio::task::JoinHandle<()>);

impl Started {
    fn now(tenant: &Tenant) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let options = Options {
            leader_elect: true,
            lease_namespace: NAMESPACE.to_owned(),
            health_address: address,
            max_concurrent_reconciles: 1,
            grpc: GrpcArgs::default(),
        };
        let client = tenant.lab.client.clone();
        let running = tokio::spawn(async move {
            let mut process = Process::new(NAME);
            process.controller(WebApplicationController::default());
            Box::pin(process.run_until(client, options, std::future::pending()))
                .await
                .unwrap();
        });
        Self(address, running)
    }

    async fn get(&self, path: &str) -> Result<String, std::io::Error> {
        let mut stream = TcpStream::connect(self.0).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// Waits until its caches are complete, and returns its metrics.
    async fn complete(self) -> String {
        eventually_within(
            Duration::from_secs(60),
            "the caches of a new controller are complete",
            || async {
                let answer = self.get("/readyz").await.map_err(|error| error.to_string())?;
                if answer.starts_with("HTTP/1.1 200") {
                    Ok(())
                } else {
                    Err(answer)
                }
            },
        )
        .await;
        let metrics = self.get("/metrics").await.unwrap();
        self.1.abort();
        metrics
    }
}

fn counts(metrics: &str, kind: &str) -> bool {
    let labels = format!(r#"idp_unreadable_objects{{controller="{NAME}",kind="{kind}"}}"#);
    let line = metrics.lines().find_map(|line| line.strip_prefix(&labels));
    line.is_some_and(|count| count.trim().parse::<f64>().unwrap() >= 1.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deep_application_neither_stops_nor_delays_others() {
    let (attacker, other) = (Tenant::new("deep").await, Tenant::new("deep-other").await);
    other.create("before", json!({})).await.unwrap();
    other.lab.ready("before").await;
    deep_application(
        &attacker,
        "deep",
        &format!(r#"{{"image":"a:1","capabilities":{{"x":{}}}}}"#, deep(200)),
    )
    .await;
    let patch = format!(
        r#"{{"image":"a:1","patches":[{{"kind":"Deployment","merge":{}}}]}}"#,
        deep(3000)
    );
    deep_application(&attacker, "deeper", &patch).await;
    is_explained(&attacker, "deep", "spec.capabilities.x").await;
    is_explained(&attacker, "deeper", "spec.patches[0]").await;

    // It changes constantly, and others are reconciled nevertheless.
    let began = Instant::now();
    for turn in 0..20 {
        let note = json!({ "metadata": { "annotations": { "turn": turn.to_string() } } });
        let api = Api::<RawObject>::namespaced_with(
            attacker.client.clone(),
            attacker.namespace(),
            &APPLICATION.api_resource(),
        );
        api.patch("deep", &PatchParams::default(), &Patch::Merge(&note))
            .await
            .unwrap();
    }
    other.create("after", json!({})).await.unwrap();
    other
        .lab
        .change(
            "before",
            json!({ "env": [{ "name": "CHANGED", "value": "yes" }] }),
        )
        .await;
    other.lab.ready_within(Duration::from_secs(90), "after").await;
    other.lab.ready_within(Duration::from_secs(90), "before").await;
    println!("served after {:?}", began.elapsed());

    // A controller that starts now reads everything, and counts unreadable objects.
    let metrics = Started::now(&attacker).complete().await;
    assert!(counts(&metrics, "WebApplication"), "{metrics}");

    // The command line still works for others.
    let file = "apiVersion: idp.dev/v1alpha1\nkind: WebApplication\nmetadata: {name: planned}\nspec: {image: 'a:1'}\n";
    let args = ["plan", "-", "-n", other.namespace()];
    let said = idp_cli(&other.lab.test.cluster, &args, file).await.unwrap();
    assert!(said.well && said.output.contains("to create"), "{said:?}");
    let name = format!(
        "WebApplication {}/deep cannot be parsed and is ignored",
        attacker.namespace()
    );
    assert!(said.errors.contains(&name), "{said:?}");
    let args = ["status", "deep", "-n", attacker.namespace()];
    let said = idp_cli(&attacker.lab.test.cluster, &args, "").await.unwrap();
    assert!(said.output.contains("Unreadable"), "{said:?}");

    // Once fixed, it works; once deleted, it is gone.
    let mended = json!({ "spec": { "capabilities": null } });
    seen(&attacker, APPLICATION)
        .patch("deep", &PatchParams::default(), &Patch::Merge(&mended))
        .await
        .unwrap();
    attacker.lab.ready("deep").await;
    seen(&attacker, APPLICATION)
        .delete("deeper", &DeleteParams::default())
        .await
        .unwrap();
    eventually("the application is deleted", || async {
        match seen(&attacker, APPLICATION).get_opt("deeper").await.unwrap() {
            None => Ok(()),
            Some(_) => Err("still there"),
        }
    })
    .await;
    attacker.end().await;
    other.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_that_is_too_deep_has_its_own_problem() {
    let tenant = Tenant::new("deep-refused").await;
    let nested = (0..40).fold(json!({}), |value, _| json!({ "a": value }));
    tenant
        .create("app", json!({ "capabilities": { "x": nested } }))
        .await
        .unwrap();
    let problem = tenant.lab.problem("app", "TooDeep").await;
    assert_eq!(problem.path.as_deref(), Some("spec.capabilities.x"));
    tenant.end().await;
}

/// A user who may write bindings, which no tenant may by default, cannot stop others either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deep_binding_does_not_stop_others() {
    let tenant = Tenant::new("deep-binding").await;
    let metadata = json!({ "name": "deep", "labels": { "app.kubernetes.io/managed-by": NAME } });
    let spec = format!(
        r#"{{"application":"app","capability":"any","section":{}}}"#,
        deep(500)
    );
    post(
        &tenant.lab.client,
        BINDING,
        tenant.namespace(),
        text(BINDING, &metadata, &spec),
    )
    .await;
    tenant.create("app", json!({})).await.unwrap();
    tenant.lab.ready("app").await;
    let metrics = Started::now(&tenant).complete().await;
    assert!(counts(&metrics, "CapabilityBinding"), "{metrics}");
    tenant.end().await;
}

/// A tenant whose application becomes unreadable keeps its objects and hosts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_that_becomes_unreadable_keeps_its_objects() {
    let (owner, other) = (Tenant::new("ghost").await, Tenant::new("ghost-other").await);
    let routes = json!({ "routes": [{ "host": owner.namespace() }] });
    owner.create("app", routes.clone()).await.unwrap();
    owner.lab.ready("app").await;
    let uid = |found: DynamicObject| found.metadata.uid;
    let deployment = owner.lab.objects(idp_webapp::kinds::DEPLOYMENT);
    let before = uid(deployment.get("app").await.unwrap());

    let body = format!(r#"{{"spec":{{"capabilities":{{"x":{}}}}}}}"#, deep(200));
    let uri = format!(
        "/apis/{}/namespaces/{}/{}/app",
        APPLICATION.api_version(),
        owner.namespace(),
        APPLICATION.plural
    );
    let request = http::Request::patch(uri)
        .header("content-type", "application/merge-patch+json")
        .body(body.into_bytes())
        .unwrap();
    owner.client.request_text(request).await.unwrap();
    is_explained(&owner, "app", "spec.capabilities.x").await;

    other.create("thief", routes).await.unwrap();
    other.lab.problem("thief", "HostTaken").await;
    assert_eq!(uid(deployment.get("app").await.unwrap()), before);

    // It is deleted with its last readable state; only then is the host free.
    let apps = seen(&owner, APPLICATION);
    apps.delete("app", &DeleteParams::default()).await.unwrap();
    other.lab.ready("thief").await;
    owner.end().await;
    other.end().await;
}

//! The controller's permissions are minimal: all its requests are allowed, and it uses every permission.

use anyhow::{anyhow, ensure};
use idp_api::{Environment, WebApplication};
use idp_core::{
    Kind,
    capability::{Binding, SectionPlan, SectionRequest},
};
use idp_testkit::{
    NAMESPACE, eventually_within,
    fixtures::{AppFixture, sample},
    rights,
    stub::Stub,
};
use idp_webapp::{NAME, kinds};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::support::{LONG, Lab, dynamic, environment, is_ready, why};

/// Waits until no object of these kinds exists.
async fn gone(lab: &Lab, namespace: &str, kinds: &[Kind]) {
    eventually_within(LONG, "pruned", || async {
        for kind in kinds {
            let left = dynamic(&lab.client(), *kind, namespace)
                .list_metadata(&kube::api::ListParams::default().labels(idp_core::labels::APPLICATION))
                .await?;
            ensure!(left.items.is_empty(), "{} of {kind} are there", left.items.len());
        }
        Ok(())
    })
    .await;
}

async fn ready(lab: &Lab, app: &WebApplication) {
    let namespace = app.metadata.namespace.clone().unwrap_or_default();
    let name = app.metadata.name.clone().unwrap_or_default();
    eventually_within(LONG, "the application is ready", || async {
        let now = lab.apps(&namespace).get(&name).await?;
        if is_ready(&now) {
            Ok(())
        } else {
            Err(anyhow!("{}", why(&now)))
        }
    })
    .await;
}

async fn change(lab: &Lab, app: &WebApplication, spec: Value) {
    let namespace = app.metadata.namespace.clone().unwrap_or_default();
    let name = app.metadata.name.clone().unwrap_or_default();
    let patch = Patch::Merge(json!({ "spec": spec }));
    lab.apps(&namespace)
        .patch(&name, &PatchParams::default(), &patch)
        .await
        .expect("a valid change");
}

/// Everything that can happen to an application, in a few steps.
async fn live(lab: &Lab, namespace: &str) {
    let app = sample(namespace).on_fake_nodes();
    lab.create(vec![app.clone()]).await;
    ready(lab, &app).await;

    // Changes every object: a variable and a label that the objects share.
    change(lab, &app, json!({ "image": "sample-web-app:0.2.0" })).await;
    eventually_within(LONG, "the old migration is pruned", || async {
        let jobs = dynamic(&lab.client(), kinds::JOB, namespace);
        let ours = kube::api::ListParams::default().labels(idp_core::labels::APPLICATION);
        let left = jobs.list_metadata(&ours).await?;
        ensure!(left.items.len() == 1, "{} jobs", left.items.len());
        Ok(())
    })
    .await;
    ready(lab, &app).await;

    bindings(lab, &app, namespace).await;

    // Children of a section are deleted with the section.
    let sections = [
        "configFiles",
        "routes",
        "autoscaling",
        "access",
        "migration",
        "jobs",
        "observability",
    ];
    for section in sections {
        let mut spec = json!({ "replicas": if section == "autoscaling" { json!(2) } else { Value::Null } });
        spec[section] = Value::Null;
        if section != "autoscaling" {
            spec.as_object_mut().expect("an object").remove("replicas");
        }
        change(lab, &app, spec).await;
        ready(lab, &app).await;
    }
    gone(
        lab,
        namespace,
        &[
            kinds::JOB,
            kinds::CRON_JOB,
            kinds::AUTOSCALER,
            kinds::VIRTUAL_SERVICE,
            kinds::GATEWAY,
            kinds::SERVICE_ENTRY,
            kinds::SERVICE_MONITOR,
        ],
    )
    .await;
    change(lab, &app, json!({ "replicas": 0 })).await;
    gone(lab, namespace, &[kinds::DISRUPTION_BUDGET]).await;
    change(lab, &app, json!({ "replicas": 1 })).await;
    ready(lab, &app).await;

    // Children that the Environment causes are deleted when it changes.
    let environments = Api::<Environment>::all(lab.client());
    let bare = json!({ "spec": { "mesh": { "mode": "None" }, "monitoring": { "prometheusOperator": false, "dashboards": false } } });
    environments
        .patch("local", &PatchParams::default(), &Patch::Merge(bare))
        .await
        .unwrap();
    gone(
        lab,
        namespace,
        &[
            kinds::DESTINATION_RULE,
            kinds::AUTHORIZATION_POLICY,
            kinds::PEER_AUTHENTICATION,
            kinds::PROMETHEUS_RULE,
            // The dashboard's; the other one was deleted with the files.
            kinds::CONFIG_MAP,
        ],
    )
    .await;
    restore(lab).await;
    eventually_within(LONG, "the mesh is back", || async {
        let policies = dynamic(&lab.client(), kinds::PEER_AUTHENTICATION, namespace);
        policies.get("sample-web-app").await.map(|_| ())
    })
    .await;
    ready(lab, &app).await;
}

fn mail(request: &SectionRequest) -> SectionPlan {
    let spec =
        json!({ "capability": "mail", "application": request.application, "section": request.section });
    answer([binding(kinds::CAPABILITY_BINDING, request, spec)])
}

fn secrets(request: &SectionRequest) -> SectionPlan {
    let name = &request.section[0]["name"];
    let spec = json!({
        "application": request.application,
        "store": { "name": "x", "kind": "SecretStore" },
        "secrets": [{ "name": name, "path": "spec", "target": "x", "remoteKey": "x", "refreshInterval": "1h" }],
    });
    answer([binding(kinds::SECRET_BINDING, request, spec)])
}

/// A response with a binding for the hosts that `bindings` requests. The hosts of the other steps have certificates:
/// a binding without a controller would keep the application from becoming Ready.
fn certificates(request: &SectionRequest) -> SectionPlan {
    let asked: Vec<&Value> = request.section["hosts"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let host = |asked: &Value| asked["host"].as_str().unwrap_or_default().to_owned();
    let spec = json!({
        "application": request.application,
        "issuer": { "name": "x", "kind": "Issuer" },
        "secretNamespace": "x",
        "hosts": asked,
    });
    let wanted = asked.iter().any(|asked| host(asked).starts_with("certified-"));
    SectionPlan {
        outputs: asked.iter().map(|asked| (host(asked), "x".to_owned())).collect(),
        ..answer(wanted.then(|| binding(kinds::CERTIFICATE_BINDING, request, spec)))
    }
}

/// A response with a claim for a database, if the section has one.
fn claims(request: &SectionRequest) -> SectionPlan {
    let databases = request.section["databases"].as_array();
    answer(databases.into_iter().flatten().map(|database| {
        let spec = json!({
            "application": request.application, "name": database["name"], "path": "spec.databases[0]",
            "engine": database["engine"], "class": "x", "size": database["size"],
        });
        binding(kinds::CLAIM_BINDING, request, spec)
    }))
}

fn binding(kind: Kind, request: &SectionRequest, spec: Value) -> Binding {
    Binding {
        kind: kind.kind.to_owned(),
        name: request.application.clone(),
        spec,
    }
}

fn answer(bindings: impl IntoIterator<Item = Binding>) -> SectionPlan {
    SectionPlan {
        bindings: bindings.into_iter().collect(),
        ..SectionPlan::default()
    }
}

/// Sections of capabilities are added, changed and removed. No controller serves their bindings: the pods only wait.
async fn bindings(lab: &Lab, app: &WebApplication, namespace: &str) {
    for mark in ["one", "two"] {
        let wanted = json!({
            "capabilities": { "mail": { "mark": mark } },
            "databases": [{ "name": "x", "engine": "postgres", "size": mark }],
            "secrets": [{ "name": mark }],
            "routes": [{ "host": format!("certified-{mark}-{namespace}") }],
        });
        change(lab, app, wanted).await;
        eventually_within(LONG, "the bindings are as asked", || async {
            for kind in kinds::BINDINGS {
                let name = app.metadata.name.as_deref().unwrap_or_default();
                let binding = dynamic(&lab.client(), kind, namespace).get(name).await?;
                let spec = binding.data["spec"].to_string();
                ensure!(spec.contains(mark), "{kind}: {spec}");
            }
            Ok(())
        })
        .await;
    }
    let routes = json!(app.spec.routes);
    let back = json!({ "capabilities": null, "databases": null, "secrets": null, "routes": routes });
    change(lab, app, back).await;
    gone(lab, namespace, &kinds::BINDINGS).await;
    ready(lab, app).await;
}

async fn restore(lab: &Lab) {
    let wanted = environment();
    let environments = Api::<Environment>::all(lab.client());
    let back =
        Patch::Merge(json!({ "spec": { "mesh": wanted.spec.mesh, "monitoring": wanted.spec.monitoring } }));
    environments
        .patch("local", &PatchParams::default(), &back)
        .await
        .unwrap();
}

#[test]
fn no_wildcard_and_no_secrets() {
    rights::assert_modest(NAME);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_right_is_used_and_every_request_allowed() {
    let lab = Lab::enter().await;
    // An earlier run may have ended midway; and the first Lease is created only if none exists.
    restore(&lab).await;
    let leases = Api::<Lease>::namespaced(lab.client(), NAMESPACE);
    let _ = leases.delete(NAME, &DeleteParams::default()).await;
    let namespace = lab.test.namespace("rights").await.unwrap();
    let audit = lab.audit();
    let address = ([127, 0, 0, 1], 0).into();
    let cluster = &lab.test.cluster;
    let stubs = [
        Stub::start(cluster, address, "mail", mail),
        Stub::start(cluster, address, "claims", claims),
        Stub::start(cluster, address, "secrets", secrets),
        Stub::start(cluster, address, "certificates", certificates),
    ];
    let controller = lab.leader_beside("rights", &stubs).await;
    live(&lab, &namespace).await;
    assert!(controller.stop().await.unwrap(), "it ends well");

    rights::assert_least(NAME, &audit.requests().unwrap());
    lab.clean(&namespace).await;
}

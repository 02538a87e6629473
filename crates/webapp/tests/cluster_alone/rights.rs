//! The controller's rights are the least: all it asks is allowed, and all it may do it does.

use std::collections::BTreeSet;

use anyhow::{anyhow, ensure};
use idp_api::{Environment, WebApplication};
use idp_core::Kind;
use idp_testkit::{
    NAMESPACE,
    audit::Request,
    eventually_within,
    fixtures::{AppFixture, sample},
};
use idp_webapp::{controller::NAME, kinds};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::support::{LONG, Lab, dynamic, environment, is_ready, why};

/// (verb, group, resource)
type Right = (String, String, String);

/// The rules of the controller's roles, one entry for each verb of each resource.
fn granted() -> BTreeSet<Right> {
    let file = idp_testkit::root().join("platform/operators/idp-webapp/rbac.yaml");
    let documents =
        idp_api::manifests::parse(&std::fs::read_to_string(file).expect("it exists")).expect("YAML");
    let rules: Vec<&Value> = documents
        .iter()
        .filter_map(|document| document["rules"].as_array())
        .flatten()
        .collect();
    let words = |rule: &Value, field: &str| -> Vec<String> {
        serde_json::from_value(rule[field].clone()).expect("a list of words")
    };
    let mut rights = BTreeSet::new();
    for rule in rules {
        for verb in words(rule, "verbs") {
            for group in words(rule, "apiGroups") {
                for resource in words(rule, "resources") {
                    let right = (verb.clone(), group.clone(), resource);
                    assert!(rights.insert(right.clone()), "granted twice: {right:?}");
                }
            }
        }
    }
    rights
}

/// What a request needed. Server-side apply of what is not there yet needs two rights.
fn used(request: &Request) -> Vec<Right> {
    let right = |verb: &str| (verb.to_owned(), request.group.clone(), request.resource.clone());
    let mut rights = vec![right(&request.verb)];
    if request.verb == "patch" && request.code == 201 {
        rights.push(right("create"));
    }
    rights
}

/// Whether any object of a kind is there.
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

    // Every object is written again: a variable and a label that the objects share.
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

    // What the resource itself asks for goes away with the section that asks.
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

    // What the Environment makes of every application goes away with the Environment's wish.
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
            // Of the dashboard; the other one went with the files.
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
    for (verb, group, resource) in granted() {
        assert!(
            ![&verb, &group, &resource]
                .into_iter()
                .any(|word| word.contains('*')),
            "{verb} {group} {resource}"
        );
        assert_ne!(resource.split('/').next(), Some("secrets"), "{verb}");
        assert!(
            !["escalate", "bind", "impersonate", "deletecollection"].contains(&verb.as_str()),
            "{verb} {resource}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_right_is_used_and_every_request_allowed() {
    let lab = Lab::enter().await;
    // An earlier run may have ended in mid scenario; and without a Lease the first one is created.
    restore(&lab).await;
    let leases = Api::<Lease>::namespaced(lab.client(), NAMESPACE);
    let _ = leases.delete(NAME, &DeleteParams::default()).await;
    let namespace = lab.test.namespace("rights").await.unwrap();
    let audit = lab.audit();
    let controller = lab.leader("rights").await;
    live(&lab, &namespace).await;
    assert!(controller.stop().await.unwrap(), "it ends well");

    let user = format!("system:serviceaccount:{NAMESPACE}:{NAME}");
    let requests: Vec<_> = audit
        .requests()
        .unwrap()
        .into_iter()
        .filter(|request| request.user == user)
        .collect();
    let refused: Vec<_> = requests
        .iter()
        .filter(|request| !request.allowed || request.code == 403)
        .collect();
    assert!(refused.is_empty(), "refused: {refused:#?}");
    let secrets: Vec<_> = requests
        .iter()
        .filter(|request| request.resource.starts_with("secrets"))
        .collect();
    assert!(secrets.is_empty(), "asked for secrets: {secrets:#?}");
    let used: BTreeSet<Right> = requests.iter().flat_map(used).collect();
    let granted = granted();
    let unused: Vec<_> = granted.difference(&used).collect();
    assert!(unused.is_empty(), "never used, so not needed: {unused:#?}");
    eprintln!(
        "rights: {} requests used each of {} rights",
        requests.len(),
        granted.len()
    );
    lab.clean(&namespace).await;
}

//! Objects that only claim to be children of another resource do not count.

use std::time::Duration;

use idp_core::Kind;
use idp_testkit::{eventually, stays};
use idp_tests::{app, why};
use idp_webapp::kinds::{CAPABILITY_BINDING, CLAIM_BINDING, JOB, SECRET_BINDING};
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::Tenant;

/// The victim's next version: another image, and a migration.
fn next(image: &str) -> Value {
    json!({ "image": image, "migration": { "command": ["migrate"] } })
}

/// Name of the migration's Job, which anyone can compute.
async fn job_name(victim: &Tenant, image: &str) -> String {
    let planned = app(victim.namespace(), "victim", &next(image));
    let environment = victim.lab.environment().await;
    let plan = idp_webapp::render::render(&planned, &environment).unwrap();
    let job = plan.children.iter().find(|child| child.kind == JOB);
    job.unwrap().name.clone()
}

/// A Job of the attacker that claims to belong to `owner`, a `namespace/name`.
fn forged(name: &str, owner: &str, uid: &str, deadline: Option<u32>) -> Value {
    json!({
        "metadata": {
            "name": name,
            "labels": { "app.kubernetes.io/managed-by": "idp-webapp", "idp.dev/owner-uid": uid },
            "annotations": { "idp.dev/owner": owner },
        },
        "spec": { "backoffLimit": 0, "activeDeadlineSeconds": deadline, "template": { "spec": {
            "restartPolicy": "Never",
            "nodeSelector": { "type": "kwok" },
            "tolerations": [{ "key": "kwok.x-k8s.io/node", "operator": "Exists" }],
            "containers": [{ "name": "x", "image": "anything:1", "resources": {
                "requests": { "cpu": "10m", "memory": "16Mi" }, "limits": { "cpu": "10m", "memory": "16Mi" } } }],
        } } },
    })
}

async fn ended(tenant: &Tenant, name: &str, how: &str) {
    eventually("the forged Job ends", || async {
        let job = tenant
            .lab
            .objects(JOB)
            .get(name)
            .await
            .map_err(|error| error.to_string())?;
        let conditions = job.data["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let is = |condition: &Value| condition["type"] == how && condition["status"] == "True";
        conditions
            .iter()
            .any(is)
            .then_some(())
            .ok_or(format!("{conditions:?}"))
    })
    .await;
}

async fn image(tenant: &Tenant) -> Option<String> {
    let deployment = tenant.lab.deployment("victim").await?;
    deployment.spec?.template.spec?.containers.remove(0).image
}

/// A Job of another namespace is not the migration, whether it succeeded or failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tenant_skips_or_blocks_the_migration_of_another() {
    let (victim, attacker) = (Tenant::new("a02-victim").await, Tenant::new("a02-evil").await);
    victim.create("victim", json!({})).await.unwrap();
    let uid = victim.lab.ready("victim").await.metadata.uid.unwrap();
    let owner = format!("{}/victim", victim.namespace());
    // Also if the attacker knows the UID.
    for (image_name, uid, deadline, how) in [
        ("shop:2.0", "whatever", None, "Complete"),
        ("shop:3.0", uid.as_str(), None, "Complete"),
        ("shop:4.0", "whatever", Some(1), "Failed"),
    ] {
        let job = job_name(&victim, image_name).await;
        let mut object = forged(&job, &owner, uid, deadline);
        if deadline.is_none() {
            // No completions, so that it succeeds immediately without pods.
            object["spec"]["completions"] = json!(0);
        }
        if deadline.is_some() {
            // On no node, so that it fails.
            object["spec"]["template"]["spec"]["nodeSelector"]["type"] = json!("none");
        }
        attacker.make(JOB, object).await.unwrap();
        ended(&attacker, &job, how).await;
        victim.lab.change("victim", next(image_name)).await;
        eventually("the victim's own migration runs, and its pods start", || async {
            let own = victim
                .lab
                .objects(JOB)
                .get_opt(&job)
                .await
                .map_err(|error| error.to_string())?;
            let (own, running) = (own.is_some(), image(&victim).await);
            if running
                .as_ref()
                .is_some_and(|running| running.ends_with(image_name))
                && !own
            {
                panic!("{image_name} runs before the victim's migration");
            }
            let done = own
                && running
                    .as_ref()
                    .is_some_and(|running| running.ends_with(image_name));
            let app = victim.lab.get("victim").await;
            done.then_some(())
                .ok_or(format!("own Job {own}, running {running:?}; {}", why(&app)))
        })
        .await;
        victim.lab.ready("victim").await;
    }
    attacker.end().await;
    victim.end().await;
}

/// A binding of another namespace is not in the inventory, and pods do not wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binding_of_another_namespace_does_not_count() {
    let (victim, attacker) = (Tenant::new("a02-bound").await, Tenant::new("a02-binder").await);
    victim.create("victim", json!({})).await.unwrap();
    let uid = victim.lab.ready("victim").await.metadata.uid.unwrap();
    let labels = |name: &str| {
        json!({
            "name": name,
            "labels": { "app.kubernetes.io/managed-by": "idp-webapp", "idp.dev/owner-uid": uid },
            "annotations": { "idp.dev/owner": format!("{}/victim", victim.namespace()), "idp.dev/detached": "true" },
        })
    };
    // Even if a platform team allows teams to write bindings.
    let claim = json!({ "metadata": labels("victim"), "spec": {
        "application": "victim", "name": "orders", "path": "spec.databases[0]", "engine": "postgres",
        "class": "local-postgres", "version": "16", "size": "small" } });
    // Of a capability without a server: one that the victim uses would block the victim.
    let missing = json!({ "metadata": labels("victim"), "spec": {
        "application": "victim", "capability": "nowhere", "section": {} } });
    let secret = json!({ "metadata": labels("victim"), "spec": {
        "application": "victim", "store": { "name": "x", "kind": "ClusterSecretStore" },
        "secrets": [{ "name": "a", "path": "spec.secrets[0]", "target": "a", "remoteKey": "x", "refreshInterval": "1h" }] } });
    for (kind, object) in [
        (CLAIM_BINDING, claim),
        (SECRET_BINDING, secret),
        (CAPABILITY_BINDING, missing),
    ] {
        attacker.granted(kind, object).await.unwrap();
    }
    // A change that is planned again, so that all known children are considered.
    victim
        .lab
        .change("victim", json!({ "env": [{ "name": "A", "value": "1" }] }))
        .await;
    let ready = victim.lab.ready("victim").await;
    let inventory = ready.status.unwrap().children;
    let foreign: Vec<_> = inventory
        .iter()
        .filter(|child| child.kind.ends_with("Binding"))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    stays(Duration::from_secs(3), "the victim is not affected", || async {
        let app = victim.lab.get("victim").await;
        idp_tests::is_ready(&app).then_some(()).ok_or(why(&app))
    })
    .await;
    attacker.end().await;
    victim.end().await;
}

/// A VirtualService owns a host only as a child of the application that it belongs to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_route_blocks_no_host() {
    const VIRTUAL_SERVICE: Kind = idp_webapp::kinds::VIRTUAL_SERVICE;
    let (victim, attacker) = (Tenant::new("a02-host").await, Tenant::new("a02-router").await);
    let host = format!("shop-{}", victim.namespace());
    let complete = format!("{host}.{}", victim.lab.environment().await.spec.base_domain);
    // The attacker's application requests the host later; its VirtualService claims to own the host already.
    attacker.create("rival", json!({})).await.unwrap();
    let rival = attacker.lab.ready("rival").await;
    let route = |uid: &str| {
        json!({
            "metadata": {
                "name": "rival-forged",
                "labels": { "app.kubernetes.io/managed-by": "idp-webapp", "idp.dev/owner-uid": uid },
                "annotations": { "idp.dev/owner": format!("{}/rival", attacker.namespace()) },
            },
            "spec": { "hosts": [complete], "http": [{ "route": [{ "destination": { "host": "rival" } }] }] },
        })
    };
    victim
        .create(
            "victim",
            json!({ "routes": [{ "host": host, "tls": { "mode": "None" } }] }),
        )
        .await
        .unwrap();
    victim.lab.ready("victim").await;
    // The tenant's role does not allow it to write routes; a platform team could.
    attacker
        .granted(VIRTUAL_SERVICE, route(&rival.metadata.uid.clone().unwrap()))
        .await
        .unwrap();
    attacker
        .lab
        .change(
            "rival",
            json!({ "routes": [{ "host": complete, "tls": { "mode": "None" } }] }),
        )
        .await;
    let problem = attacker.lab.problem("rival", "HostTaken").await;
    assert!(problem.message.contains(victim.namespace()), "{problem}");
    let all = victim
        .lab
        .objects(VIRTUAL_SERVICE)
        .list(&ListParams::default())
        .await
        .unwrap();
    assert!(!all.items.is_empty(), "the victim keeps its route");
    attacker.end().await;
    victim.end().await;
}

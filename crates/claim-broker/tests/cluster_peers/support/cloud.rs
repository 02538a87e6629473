//! A fake cloud: a kind for Compositions, and a controller that does what a provider would do.
//!
//! `spec.version` sets its behaviour: `99` is rejected as AWS would, `slow` is never ready, all others are ready at once.

use std::sync::{
    Once,
    atomic::{AtomicU32, Ordering},
};

use futures::StreamExt;
use idp_core::Kind;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::{Value, json};

use super::Way;

/// The kind, cluster-scoped or namespaced, as the kinds of a provider are.
pub(crate) fn kind(way: Way) -> Kind {
    match way {
        Way::Claims => Kind::cluster("cloud.test.idp.dev", "v1", "Machine", "machines"),
        Way::Namespaced => Kind::namespaced("cloud.m.test.idp.dev", "v1", "Machine", "machines"),
    }
}

pub(crate) fn definition(way: Way) -> Value {
    let kind = kind(way);
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{}.{}", kind.plural, kind.group) },
        "spec": {
            "group": kind.group,
            "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
            "names": { "kind": kind.kind, "plural": kind.plural, "singular": "machine" },
            "versions": [{
                "name": kind.version, "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
            }],
        },
    })
}

/// The resource that a `PostgresInstance` is composed of.
pub(crate) fn machine(way: Way) -> Value {
    let from = |field: &str| {
        json!({ "type": "FromCompositeFieldPath", "fromFieldPath": format!("spec.parameters.{field}"),
        "toFieldPath": format!("spec.{field}") })
    };
    json!({
        "name": "machine",
        "base": { "apiVersion": kind(way).api_version(), "kind": "Machine", "spec": {} },
        "patches": [
            from("version"), from("storageGB"), from("deletionPolicy"),
            { "type": "ToCompositeFieldPath", "fromFieldPath": "status.address", "toFieldPath": "status.address" },
        ],
    })
}

/// Starts the controller once for each process, in its own thread, so that it outlives the first test that needs it.
pub(crate) fn start(kubeconfig: std::path::PathBuf) {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let file = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
                let config = kube::Config::from_custom_kubeconfig(file, &Default::default())
                    .await
                    .unwrap();
                let client = Client::try_from(config).unwrap();
                tokio::join!(
                    act(client.clone(), kind(Way::Claims)),
                    act(client, kind(Way::Namespaced))
                );
            });
        });
    });
}

async fn act(client: Client, kind: Kind) {
    let machines = Api::<DynamicObject>::all_with(client.clone(), &kind.api_resource());
    let stream = watcher(machines, watcher::Config::default())
        .default_backoff()
        .applied_objects();
    stream
        .for_each_concurrent(16, |machine| {
            let client = client.clone();
            async move {
                let machine = match machine {
                    Ok(machine) => machine,
                    Err(_) => return,
                };
                let wanted = outcome(machine.data["spec"]["version"].as_str().unwrap_or_default());
                let seen = machine.data["status"]["for"].clone();
                if seen == machine.data["spec"]["version"] && !seen.is_null()
                    || machine.metadata.deletion_timestamp.is_some()
                {
                    return;
                }
                let api: Api<DynamicObject> = match machine.namespace() {
                    Some(namespace) => Api::namespaced_with(client, &namespace, &kind.api_resource()),
                    None => Api::all_with(client, &kind.api_resource()),
                };
                let patch = json!({ "status": wanted });
                let _ = api
                    .patch_status(
                        &machine.name_any(),
                        &PatchParams::default(),
                        &Patch::Merge(&patch),
                    )
                    .await;
            }
        })
        .await;
}

/// The status of a machine with this version.
fn outcome(version: &str) -> Value {
    static REQUEST: AtomicU32 = AtomicU32::new(0);
    let condition = |type_: &str, yes: bool, reason: &str, message: &str| {
        json!({ "type": type_, "status": if yes { "True" } else { "False" }, "reason": reason, "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z" })
    };
    let refused = format!(
        "create failed: async create failed: failed to create the resource: [{{0 creating RDS DB Instance: operation \
         error RDS: CreateDBInstance, https response error StatusCode: 400, RequestID: {:08x}-77, api error \
         InvalidParameterCombination: Cannot find version 99 for postgres  []}}]",
        REQUEST.fetch_add(1, Ordering::Relaxed)
    );
    let (conditions, address) = match version {
        "99" => (
            vec![
                condition("Synced", false, "ReconcileError", &refused),
                condition("Ready", false, "Creating", ""),
            ],
            None,
        ),
        "slow" => (
            vec![
                condition("Synced", true, "ReconcileSuccess", ""),
                condition("Ready", false, "Creating", ""),
            ],
            None,
        ),
        _ => (
            vec![
                condition("Synced", true, "ReconcileSuccess", ""),
                condition("Ready", true, "Available", ""),
            ],
            Some("db.cloud.test"),
        ),
    };
    json!({ "conditions": conditions, "address": address, "for": version })
}

//! A cloud that is not there: a kind that Compositions compose, and an actor that does what a provider would.
//!
//! `spec.version` says how it behaves: `99` is refused as AWS would, `slow` is never ready, all else is ready at once.

use std::sync::{
    Once,
    atomic::{AtomicU32, Ordering},
};

use futures::StreamExt;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::{Value, json};

pub(crate) const GROUP: &str = "cloud.test.idp.dev";

/// The broker's argument by which it looks at the kind.
pub(crate) fn kind_argument(namespaced: bool) -> String {
    let kind = format!("--composed-kind={GROUP}/v1/Machine/machines");
    if namespaced {
        kind
    } else {
        format!("{kind}/cluster")
    }
}

/// The kind, and the broker's right to look at it.
pub(crate) fn definitions(namespaced: bool) -> Vec<Value> {
    let scope = if namespaced { "Namespaced" } else { "Cluster" };
    vec![
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": format!("machines.{GROUP}") },
            "spec": {
                "group": GROUP,
                "scope": scope,
                "names": { "kind": "Machine", "plural": "machines", "singular": "machine" },
                "versions": [{
                    "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                    "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
                }],
            },
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": { "name": "idp-claim-broker-test" },
            "rules": [{ "apiGroups": [GROUP], "resources": ["machines"], "verbs": ["list", "watch"] }],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": { "name": "idp-claim-broker-test" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "idp-claim-broker-test" },
            "subjects": [{ "kind": "ServiceAccount", "name": "idp-claim-broker", "namespace": "idp-system" }],
        }),
    ]
}

/// What is composed of a `PostgresInstance` of either generation.
pub(crate) fn machine() -> Value {
    let from = |field: &str| {
        json!({ "type": "FromCompositeFieldPath", "fromFieldPath": format!("spec.parameters.{field}"),
        "toFieldPath": format!("spec.{field}") })
    };
    json!({
        "name": "machine",
        "base": { "apiVersion": format!("{GROUP}/v1"), "kind": "Machine", "spec": {} },
        "patches": [
            from("version"), from("storageGB"), from("deletionPolicy"),
            { "type": "ToCompositeFieldPath", "fromFieldPath": "status.address", "toFieldPath": "status.address" },
        ],
    })
}

/// Starts the actor, once a process, in a thread of its own: it outlives the test that needs it first.
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
                act(Client::try_from(config).unwrap()).await;
            });
        });
    });
}

async fn act(client: Client) {
    let machines = Api::<DynamicObject>::all_with(client.clone(), &resource());
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
                    Some(namespace) => Api::namespaced_with(client, &namespace, &resource()),
                    None => Api::all_with(client, &resource()),
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

pub(crate) fn resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, "v1", "Machine"))
}

/// The status of a machine of this version.
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

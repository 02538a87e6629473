//! Crossplane, with claims and with composite resources in namespaces.

use idp_cluster::{start_component, status, stop_component};
use idp_testkit::{PEERS, TestCluster, eventually};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{DynamicObject, ListParams},
};
use serde_json::{Value, json};

use crate::objects::{READY, api, has, is, set_condition};

/// Of the kinds that are claimed.
const CLAIMS: &str = "claims.peers.test";
/// Of the kinds that live in namespaces. A group each, because a cluster can serve a kind in one way only.
const NAMESPACED: &str = "peers.test";

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_becomes_ready_with_what_it_is_composed_of() {
    let cluster = TestCluster::peers().await.unwrap();
    let names: Vec<String> = status(PEERS)
        .unwrap()
        .into_iter()
        .map(|component| component.name)
        .collect();
    for name in ["localstack", "external-secrets", "cert-manager", "crossplane"] {
        assert!(
            names.iter().any(|listed| listed == name),
            "{name} is not in {names:?}"
        );
    }
    let namespace = cluster.namespace("peers-claim").await.unwrap();
    cluster.apply(bucket_definition(CLAIMS, "Cluster")).await.unwrap();
    cluster
        .apply(json!({
            "apiVersion": "apiextensions.crossplane.io/v1",
            "kind": "CompositeResourceDefinition",
            "metadata": { "name": format!("xstores.{CLAIMS}") },
            "spec": {
                "group": CLAIMS,
                "names": { "kind": "XStore", "plural": "xstores" },
                "claimNames": { "kind": "Store", "plural": "stores" },
                "connectionSecretKeys": ["size"],
                "versions": store_versions(),
            },
        }))
        .await
        .unwrap();
    let mut resource = bucket_resource(CLAIMS);
    resource["connectionDetails"] =
        json!([{ "name": "size", "type": "FromFieldPath", "fromFieldPath": "spec.size" }]);
    cluster
        .apply(json!({
            "apiVersion": "apiextensions.crossplane.io/v1",
            "kind": "Composition",
            "metadata": { "name": "claimed-stores" },
            "spec": {
                "compositeTypeRef": { "apiVersion": format!("{CLAIMS}/v1"), "kind": "XStore" },
                "mode": "Pipeline",
                "pipeline": pipeline(&resource),
                "writeConnectionSecretsToNamespace": "crossplane-system",
            },
        }))
        .await
        .unwrap();
    let mut claim = store(CLAIMS, &namespace);
    claim["spec"]["writeConnectionSecretToRef"] = json!({ "name": "connection" });
    eventually("the claim's kind is served", || cluster.apply(claim.clone())).await;
    let buckets = api(&cluster, &format!("{CLAIMS}/v1"), "Bucket", None);
    let selector = format!("crossplane.io/claim-namespace={namespace}");
    let bucket = eventually("a bucket is composed", || only(&buckets, &selector)).await;
    assert_eq!(bucket.data["spec"]["size"], "big");
    get_ready(&buckets, &bucket).await;
    let stores = api(&cluster, &format!("{CLAIMS}/v1"), "Store", Some(&namespace));
    eventually("the claim is ready", || is(&stores, "one", READY)).await;
    let secrets = Api::<Secret>::namespaced(cluster.client.clone(), &namespace);
    eventually("the connection is published", || has(&secrets, "size", "big")).await;
    cluster.delete_namespace(&namespace).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespaced_resource_is_composed_by_the_function() {
    let cluster = TestCluster::peers().await.unwrap();
    let namespace = cluster.namespace("peers-xr").await.unwrap();
    cluster
        .apply(bucket_definition(NAMESPACED, "Namespaced"))
        .await
        .unwrap();
    cluster
        .apply(json!({
            "apiVersion": "apiextensions.crossplane.io/v2",
            "kind": "CompositeResourceDefinition",
            "metadata": { "name": format!("stores.{NAMESPACED}") },
            "spec": {
                "group": NAMESPACED,
                "scope": "Namespaced",
                "names": { "kind": "Store", "plural": "stores" },
                "versions": store_versions(),
            },
        }))
        .await
        .unwrap();
    cluster
        .apply(json!({
            "apiVersion": "apiextensions.crossplane.io/v1",
            "kind": "Composition",
            "metadata": { "name": "stores" },
            "spec": {
                "compositeTypeRef": { "apiVersion": format!("{NAMESPACED}/v1"), "kind": "Store" },
                "mode": "Pipeline",
                "pipeline": pipeline(&bucket_resource(NAMESPACED)),
            },
        }))
        .await
        .unwrap();
    eventually("the kind is served", || {
        cluster.apply(store(NAMESPACED, &namespace))
    })
    .await;
    let buckets = api(&cluster, &format!("{NAMESPACED}/v1"), "Bucket", Some(&namespace));
    let bucket = eventually("a bucket is composed", || only(&buckets, "")).await;
    assert_eq!(bucket.data["spec"]["size"], "big");
    get_ready(&buckets, &bucket).await;
    let stores = api(&cluster, &format!("{NAMESPACED}/v1"), "Store", Some(&namespace));
    eventually("the resource is ready", || is(&stores, "one", READY)).await;
    assert_eq!(stores.get("one").await.unwrap().data["status"]["address"], "here");

    let function = "function-patch-and-transform";
    stop_component(&cluster.cluster, function).await.unwrap();
    assert!(!runs(function), "it was stopped, and stays listed");
    start_component(&cluster.cluster, function).await.unwrap();
    assert!(runs(function));
    cluster.delete_namespace(&namespace).await.unwrap();
}

fn runs(name: &str) -> bool {
    let components = status(PEERS).unwrap();
    components
        .iter()
        .find(|component| component.name == name)
        .unwrap()
        .running
}

/// A kind that stands for what a provider of infrastructure brings.
fn bucket_definition(group: &str, scope: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("buckets.{group}") },
        "spec": {
            "group": group,
            "scope": scope,
            "names": { "kind": "Bucket", "plural": "buckets", "singular": "bucket" },
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                } },
            }],
        },
    })
}

fn bucket_resource(group: &str) -> Value {
    json!({
        "name": "bucket",
        "base": { "apiVersion": format!("{group}/v1"), "kind": "Bucket", "spec": {} },
        "patches": [
            { "type": "FromCompositeFieldPath", "fromFieldPath": "spec.size", "toFieldPath": "spec.size" },
            { "type": "ToCompositeFieldPath", "fromFieldPath": "status.address", "toFieldPath": "status.address" },
        ],
    })
}

fn pipeline(resource: &Value) -> Value {
    json!([{
        "step": "resources",
        "functionRef": { "name": "function-patch-and-transform" },
        "input": { "apiVersion": "pt.fn.crossplane.io/v1beta1", "kind": "Resources", "resources": [resource] },
    }])
}

fn store_versions() -> Value {
    let text = |field: &str| json!({ "type": "object", "properties": { field: { "type": "string" } } });
    json!([{
        "name": "v1", "served": true, "referenceable": true,
        "schema": { "openAPIV3Schema": {
            "type": "object", "properties": { "spec": text("size"), "status": text("address") },
        } },
    }])
}

fn store(group: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": format!("{group}/v1"),
        "kind": "Store",
        "metadata": { "name": "one", "namespace": namespace },
        "spec": { "size": "big" },
    })
}

async fn only(objects: &Api<DynamicObject>, selector: &str) -> Result<DynamicObject, String> {
    let params = ListParams::default().labels(selector);
    let listed = objects.list(&params).await.map_err(|error| error.to_string())?;
    listed
        .items
        .into_iter()
        .next()
        .ok_or_else(|| "there is none".to_owned())
}

/// Plays the provider.
async fn get_ready(objects: &Api<DynamicObject>, object: &DynamicObject) {
    let name = object.metadata.name.as_deref().unwrap();
    set_condition(objects, name, READY, &json!({ "address": "here" })).await;
}

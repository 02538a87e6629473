//! Samples are what a 1.36 API server answered.

use serde_json::json;

use super::*;

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "shop", "labels": { "a": "b" } },
        "spec": {
            "selector": { "matchLabels": { "a": "b" } },
            "template": { "spec": {
                "containers": [{
                    "name": "app", "image": "i", "args": ["x", "y"],
                    "env": [{ "name": "A", "value": "1" }],
                    "ports": [{ "containerPort": 80 }],
                    "resources": { "limits": { "cpu": "1000m" } },
                    "volumeMounts": [{ "name": "tmp", "mountPath": "/tmp" }],
                }],
                "volumes": [{ "name": "tmp", "emptyDir": {} }],
            } },
        },
    })
}

fn deployment_fields() -> Value {
    json!({
        "f:metadata": { "f:labels": { "f:a": {} }, "f:annotations": { "f:idp.dev/plan-hash": {} } },
        "f:spec": {
            "f:selector": {},
            "f:template": { "f:spec": {
                "f:containers": { "k:{\"name\":\"app\"}": {
                    ".": {}, "f:name": {}, "f:image": {}, "f:args": {},
                    "f:env": { "k:{\"name\":\"A\"}": { ".": {}, "f:name": {}, "f:value": {} } },
                    "f:ports": { "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": { ".": {}, "f:containerPort": {} } },
                    "f:resources": { "f:limits": { "f:cpu": {} } },
                    "f:volumeMounts": { "k:{\"mountPath\":\"/tmp\"}": { ".": {}, "f:mountPath": {}, "f:name": {} } },
                } },
                "f:volumes": { "k:{\"name\":\"tmp\"}": { ".": {}, "f:name": {}, "f:emptyDir": {} } },
            } },
        },
    })
}

fn without(mut fields: Value, pointer: &str, key: &str) -> Value {
    fields
        .pointer_mut(pointer)
        .unwrap()
        .as_object_mut()
        .unwrap()
        .remove(key)
        .unwrap();
    fields
}

const CONTAINER: &str = "/f:spec/f:template/f:spec/f:containers/k:{\"name\":\"app\"}";

#[test]
fn defaults_and_normalisation_are_no_drift() {
    assert!(covers(&deployment(), &deployment_fields()));
}

#[test]
fn a_field_that_another_manager_took_is_drift() {
    for (below, key, path) in [
        ("", "f:image", "spec.template.spec.containers[0].image"),
        (
            "/f:env/k:{\"name\":\"A\"}",
            "f:value",
            "spec.template.spec.containers[0].env[0].value",
        ),
        ("", "f:resources", "spec.template.spec.containers[0].resources"),
    ] {
        let fields = without(deployment_fields(), &format!("{CONTAINER}{below}"), key);
        let missing = missing(&deployment(), &fields, 10);
        assert_eq!(missing, [path], "{key}");
    }
}

#[test]
fn a_removed_label_is_drift() {
    let fields = without(deployment_fields(), "/f:metadata", "f:labels");
    assert_eq!(missing(&deployment(), &fields, 10), ["metadata.labels"]);
}

#[test]
fn nothing_owned_covers_nothing() {
    assert!(
        !covers(&deployment(), &Value::Null),
        "somebody cleared the managed fields"
    );
    assert!(!covers(&deployment(), &json!({})));
}

#[test]
fn items_that_differ_only_in_a_defaulted_key_are_told_apart() {
    let desired = json!({ "spec": { "ports": [
        { "name": "dns", "port": 53, "protocol": "UDP" }, { "name": "dns-tcp", "port": 53 },
    ] } });
    let port = json!({ ".": {}, "f:name": {}, "f:port": {} });
    let udp = json!({ ".": {}, "f:name": {}, "f:port": {}, "f:protocol": {} });
    let mut fields = json!({ "f:spec": { "f:ports": {
        "k:{\"port\":53,\"protocol\":\"TCP\"}": port, "k:{\"port\":53,\"protocol\":\"UDP\"}": udp,
    } } });
    assert!(covers(&desired, &fields));
    fields["f:spec"]["f:ports"]
        .as_object_mut()
        .unwrap()
        .remove("k:{\"port\":53,\"protocol\":\"UDP\"}");
    assert_eq!(missing(&desired, &fields, 9), ["spec.ports[0]"]);
}

#[test]
fn sets_and_atomic_lists() {
    let desired =
        json!({ "metadata": { "finalizers": ["a", "b"] }, "spec": { "egress": [{ "to": [{ "x": 1 }] }] } });
    let fields = json!({
        "f:metadata": { "f:finalizers": { ".": {}, "v:\"a\"": {} } },
        "f:spec": { "f:egress": {} },
    });
    assert_eq!(missing(&desired, &fields, 9), ["metadata.finalizers[1]"]);
}

#[test]
fn the_names_of_an_object_are_not_tracked() {
    let desired =
        json!({ "apiVersion": "v1", "kind": "X", "metadata": { "name": "x", "namespace": "y" }, "data": {} });
    assert!(covers(&desired, &json!({ "f:data": {} })));
}

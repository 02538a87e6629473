//! What runs, how many, and where.

use serde_json::{Value, json};

use super::{app, check_errors, check_warnings, cluster, extend, valid};
use crate::validate::{Scale, validate};

#[test]
fn names_are_labels() {
    for name in ["", "Shop", "1shop", "shop-", "sh.op", &"a".repeat(41)] {
        let mut app = app(&json!({}));
        app.metadata.name = Some(name.into());
        let problem = validate(&app, &cluster(&json!({}))).unwrap_err().remove(0);
        assert_eq!(
            (problem.reason.as_str(), problem.path.as_deref()),
            ("InvalidName", Some("metadata.name"))
        );
    }
    let mut longest = app(&json!({}));
    longest.metadata.name = Some("a".repeat(40));
    longest.metadata.namespace = None;
    assert_eq!(
        validate(&longest, &cluster(&json!({}))).unwrap().namespace,
        "default"
    );
}

#[test]
fn image_ports_and_resources() {
    let registry = |fields: Value| json!({"registry": fields});
    let none = json!({});
    check_errors(vec![
        (
            none.clone(),
            registry(json!({"allowed": ["mirror.local/"]})),
            "ImageNotAllowed",
            "spec.image",
        ),
        (
            none.clone(),
            registry(json!({"allowed": ["registry.example"]})),
            "ImageNotAllowed",
            "spec.image",
        ),
        (
            none.clone(),
            registry(json!({"requireDigest": true})),
            "ImageNeedsDigest",
            "spec.image",
        ),
        (
            json!({"resources": {"size": "huge"}}),
            none.clone(),
            "UnknownSize",
            "spec.resources.size",
        ),
        (
            json!({"resources": {"size": "small", "cpu": "1", "memory": "1Gi"}}),
            none.clone(),
            "InvalidSpec",
            "spec.resources",
        ),
        (
            json!({"resources": {"cpu": "1"}}),
            none.clone(),
            "InvalidSpec",
            "spec.resources",
        ),
        (
            json!({"resources": {"cpu": "1 core", "memory": "1Gi"}}),
            none.clone(),
            "InvalidQuantity",
            "spec.resources.cpu",
        ),
        (
            json!({"resources": {"cpu": "1", "memory": "0"}}),
            none.clone(),
            "InvalidQuantity",
            "spec.resources.memory",
        ),
        (
            json!({"resources": {"cpu": "1", "memory": "1Gi", "cpuLimit": "500m"}}),
            none.clone(),
            "InvalidQuantity",
            "spec.resources.cpuLimit",
        ),
        (
            json!({"ports": [{"name": "http", "port": 8080}, {"name": "admin", "port": 9000, "servicePort": 80}]}),
            none.clone(),
            "Duplicate",
            "spec.ports[1].servicePort",
        ),
        (
            json!({"ports": [{"name": "http", "port": 8080}, {"name": "http", "port": 9000}]}),
            none.clone(),
            "Duplicate",
            "spec.ports[1].name",
        ),
        (
            json!({"ports": [{"name": "http", "port": 80}]}),
            none.clone(),
            "InvalidSpec",
            "spec.ports[0].port",
        ),
        (
            json!({"health": {"liveness": {}}}),
            none.clone(),
            "InvalidSpec",
            "spec.health.liveness",
        ),
        (
            json!({"health": {"readiness": {"http": {"path": "/", "port": "admin"}}}}),
            none.clone(),
            "UnknownPort",
            "spec.health.readiness.http.port",
        ),
        (
            json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}),
            none.clone(),
            "Duplicate",
            "spec.env[1].name",
        ),
        (
            json!({"env": [{"name": "A"}]}),
            none.clone(),
            "InvalidSpec",
            "spec.env[0]",
        ),
        (
            json!({"configFiles": [{"path": "/a", "content": "x".repeat(1_000_001)}]}),
            none.clone(),
            "ConfigTooLarge",
            "spec.configFiles",
        ),
        (
            json!({"configFiles": [{"path": "/proc/x", "content": ""}]}),
            none.clone(),
            "ConfigPathNotAllowed",
            "spec.configFiles[0].path",
        ),
        (
            json!({"configFiles": [{"path": "/tmp", "content": ""}]}),
            none.clone(),
            "ConfigPathNotAllowed",
            "spec.configFiles[0].path",
        ),
        (
            json!({"configFiles": [{"path": "/a/../b", "content": ""}]}),
            none.clone(),
            "InvalidSpec",
            "spec.configFiles[0].path",
        ),
        (
            json!({"configFiles": [{"path": "/a/b", "content": ""}, {"path": "/a", "content": ""}]}),
            none.clone(),
            "ConfigPathNotAllowed",
            "spec.configFiles[1].path",
        ),
    ]);
    let app = valid(
        &json!({"configFiles": [{"path": "/b", "content": ""}, {"path": "/a", "content": ""}], "resources": {"size": "large"}}),
        &registry(
            json!({"rewrites": [{"from": "registry.example.com/", "to": "mirror.local/x"}], "allowed": ["mirror.local"]}),
        ),
    );
    assert_eq!(app.image, "mirror.local/x/shop:1");
    assert_eq!(app.config_files[0].path, "/a");
    assert_eq!(app.resources.memory.0, "4Gi");
    assert_eq!((app.ports[0].port, app.ports[0].service_port), (8080, 80));
}

#[test]
fn how_many() {
    let none = json!({});
    let autoscaling = |fields: Value| {
        let mut all = json!({"maxReplicas": 5, "cpuPercent": 70});
        extend(&mut all, &fields);
        json!({"autoscaling": all})
    };
    check_errors(vec![
        (
            json!({"replicas": 2, "autoscaling": {"maxReplicas": 5, "cpuPercent": 70}}),
            none.clone(),
            "InvalidSpec",
            "spec.replicas",
        ),
        (
            autoscaling(json!({"minReplicas": 6})),
            none.clone(),
            "InvalidSpec",
            "spec.autoscaling.minReplicas",
        ),
        (
            json!({"autoscaling": {"maxReplicas": 5}}),
            none.clone(),
            "InvalidSpec",
            "spec.autoscaling",
        ),
        (
            autoscaling(json!({"requestsPerSecond": 10})),
            json!({"mesh": {"mode": "None"}}),
            "NeedsMesh",
            "spec.autoscaling.requestsPerSecond",
        ),
        (
            autoscaling(json!({"custom": [{"name": "queue", "average": "many"}]})),
            none.clone(),
            "InvalidQuantity",
            "spec.autoscaling.custom[0].average",
        ),
        (
            json!({"rollout": {"strategy": "Canary"}}),
            none.clone(),
            "NotSupported",
            "spec.rollout.strategy",
        ),
        (
            json!({"rollout": {"maxSurge": 0}}),
            none.clone(),
            "InvalidRollout",
            "spec.rollout.maxSurge",
        ),
        (
            json!({"rollout": {"maxSurge": "0%", "maxUnavailable": 0}}),
            none.clone(),
            "InvalidRollout",
            "spec.rollout.maxSurge",
        ),
        (
            json!({"rollout": {"maxUnavailable": "some"}}),
            none.clone(),
            "InvalidRollout",
            "spec.rollout.maxUnavailable",
        ),
        (
            json!({"rollout": {"maxUnavailable": "101%"}}),
            none.clone(),
            "InvalidRollout",
            "spec.rollout.maxUnavailable",
        ),
        (
            json!({"rollout": {"maxSurge": -1}}),
            none.clone(),
            "InvalidRollout",
            "spec.rollout.maxSurge",
        ),
    ]);
    check_warnings(vec![
        (
            json!({"replicas": 1}),
            none.clone(),
            "ReplicasRaised",
            "spec.replicas",
        ),
        (
            json!({"replicas": 11}),
            none.clone(),
            "ReplicasBounded",
            "spec.replicas",
        ),
        (
            autoscaling(json!({"minReplicas": 1})),
            none.clone(),
            "ReplicasRaised",
            "spec.autoscaling.minReplicas",
        ),
        (
            autoscaling(json!({"maxReplicas": 99})),
            none.clone(),
            "ReplicasBounded",
            "spec.autoscaling.maxReplicas",
        ),
    ]);
    for (spec, expected) in [
        (json!({}), 2),
        (json!({"replicas": 0}), 0),
        (json!({"replicas": 1}), 2),
        (json!({"replicas": 11}), 10),
    ] {
        assert_eq!(valid(&spec, &none).scale, Scale::Fixed(expected));
    }
    assert_eq!(valid(&autoscaling(json!({})), &none).scale.min(), 2);
}

//! Invalid input is rejected with the field and a hint, and never affects running pods.

use std::time::Duration;

use idp_api::WebApplication;
use idp_testkit::{eventually, stays};
use kube::{
    Api,
    api::{ApiResource, DeleteParams, DynamicObject, PostParams},
};
use serde_json::{Value, json};

use crate::{
    fragments::{base, with},
    lab::Lab,
};

/// Fields that the schema rejects, the path in the error, and a part of its message.
fn refused() -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (json!({"image": ""}), "spec.image", "at least 1"),
        (json!({"image": "a b"}), "spec.image", "without spaces"),
        (json!({"image": null}), "spec.image", "Required value"),
        (
            json!({"replicas": -1}),
            "spec.replicas",
            "greater than or equal to 0",
        ),
        (
            json!({"replicas": 2, "autoscaling": {"maxReplicas": 3, "cpuPercent": 50}}),
            "spec.replicas",
            "either replicas or autoscaling",
        ),
        (
            json!({"replicas": null, "autoscaling": {"minReplicas": 4, "maxReplicas": 3, "cpuPercent": 50}}),
            "spec.autoscaling.minReplicas",
            "must not be greater",
        ),
        (
            json!({"replicas": null, "autoscaling": {"maxReplicas": 3}}),
            "spec.autoscaling",
            "at least one metric",
        ),
        (
            json!({"ports": [{"name": "http", "port": 80}]}),
            "spec.ports[0].port",
            "1024",
        ),
        (
            json!({"ports": [{"name": "HTTP", "port": 8080}]}),
            "spec.ports[0].name",
            "beginning with a letter",
        ),
        (
            json!({"ports": [{"name": "a", "port": 8080}, {"name": "b", "port": 8080}]}),
            "spec.ports",
            "same port number",
        ),
        (
            json!({"ports": [{"name": "a", "port": 8080}, {"name": "a", "port": 8081}]}),
            "spec.ports[1]",
            "Duplicate value",
        ),
        (
            json!({"ports": [{"name": "a", "port": 8080, "protocol": "Udp"}]}),
            "spec.ports[0].protocol",
            "Unsupported value",
        ),
        (
            json!({"resources": {"size": "small", "cpu": "1", "memory": "1Gi"}}),
            "spec.resources",
            "either size, or cpu and memory",
        ),
        (
            json!({"resources": {"cpu": "1"}}),
            "spec.resources",
            "both cpu and memory",
        ),
        (
            json!({"env": [{"name": "A"}]}),
            "spec.env[0]",
            "either value or fromField",
        ),
        (
            json!({"env": [{"name": "1A", "value": ""}]}),
            "spec.env[0].name",
            "not beginning with a digit",
        ),
        (
            json!({"configFiles": [{"path": "/a/../b", "content": ""}]}),
            "spec.configFiles[0].path",
            "without '..'",
        ),
        (
            json!({"configFiles": [{"path": "etc", "content": ""}]}),
            "spec.configFiles[0].path",
            "absolute path",
        ),
        (
            json!({"routes": [{"host": "Shop"}]}),
            "spec.routes[0].host",
            "small letters",
        ),
        (
            json!({"routes": [{"host": "a", "port": "nope"}]}),
            "spec.routes",
            "name of one of ports",
        ),
        (
            json!({"routes": [{"host": "a", "redirect": {"path": "/"}, "timeout": "1s"}]}),
            "spec.routes[0]",
            "cannot be used with redirect",
        ),
        (
            json!({"routes": [{"host": "a", "redirect": {}}]}),
            "spec.routes[0].redirect",
            "host or path",
        ),
        (
            json!({"routes": [{"host": "a", "redirect": {"path": "/", "code": 200}}]}),
            "spec.routes[0].redirect.code",
            "301",
        ),
        (
            json!({"routes": [{"host": "a", "tls": {"mode": "Secret"}}]}),
            "spec.routes[0].tls",
            "is required with mode Secret",
        ),
        (
            json!({"routes": [{"host": "a", "cors": {"allowOrigins": ["*"], "allowCredentials": true}}]}),
            "spec.routes[0].cors",
            "which browsers reject",
        ),
        (
            json!({"routes": [{"host": "a", "timeout": "5"}]}),
            "spec.routes[0].timeout",
            "duration",
        ),
        (
            json!({"access": {"inbound": [{}]}}),
            "spec.access.inbound[0]",
            "application, or namespace",
        ),
        (
            json!({"access": {"outbound": [{"cidr": {"range": "10.0.0.1"}}]}}),
            "spec.access.outbound[0].cidr.range",
            "10.1.0.0/16",
        ),
        (
            json!({"rollout": {"strategy": "Canary"}}),
            "spec.rollout.strategy",
            "not supported yet",
        ),
        (
            json!({"migration": {"command": []}}),
            "spec.migration.command",
            "at least 1",
        ),
        (
            json!({"jobs": [{"name": "a", "schedule": "daily", "command": ["a"]}]}),
            "spec.jobs[0].schedule",
            "five fields",
        ),
        (
            json!({"health": {"liveness": {"periodSeconds": 3}}}),
            "spec.health.liveness",
            "exactly one of",
        ),
        (
            json!({"observability": {"objectives": [{"name": "a", "availability": {"percent": "101"}}]}}),
            "spec.observability.objectives[0].availability.percent",
            "99.9",
        ),
        (
            json!({"observability": {"metrics": {"port": "nope"}}}),
            "spec.observability",
            "name of one of ports",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_rejects_with_field_and_reason() {
    let lab = Lab::new("refused").await;
    let resource = ApiResource::erase::<WebApplication>(&());
    let apps: Api<DynamicObject> = Api::namespaced_with(lab.client.clone(), &lab.ns, &resource);
    let valid = serde_json::to_value(base(&lab.ns, "shop")).unwrap();
    let params = PostParams::default();
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let plain: DynamicObject = serde_json::from_value(valid.clone()).unwrap();
    apps.create(&dry, &plain)
        .await
        .expect("the application that is made worse is valid");
    let mut wrong = Vec::new();
    for (fields, path, message) in refused() {
        let mut app = valid.clone();
        for (key, value) in fields.as_object().unwrap() {
            app["spec"][key] = value.clone();
        }
        app["spec"]
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        let app: DynamicObject = serde_json::from_value(app).unwrap();
        match apps.create(&params, &app).await {
            Err(kube::Error::Api(status)) if status.code == 422 => {
                let causes = status.details.iter().flat_map(|details| &details.causes);
                let mut named = causes.filter(|cause| cause.field == path);
                if !named.any(|cause| cause.message.contains(message)) {
                    wrong.push(format!(
                        "{fields}: not {path} and {message:?}, but: {}",
                        status.message
                    ));
                }
            }
            other => wrong.push(format!("{fields}: {:?}", other.map(|_| "accepted"))),
        }
    }
    for name in ["a".repeat(41), "1shop".to_owned(), "shop-".to_owned()] {
        let mut app: DynamicObject = serde_json::from_value(valid.clone()).unwrap();
        app.metadata.name = Some(name.clone());
        match apps.create(&params, &app).await {
            Err(error) if error.to_string().contains("metadata.name") => {}
            other => wrong.push(format!("{name}: {:?}", other.map(|_| "accepted"))),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused().len() >= 30);
    lab.end().await;
}

/// Fields that only a cluster can reject, with the expected reason and path.
fn impossible(host: &str) -> Vec<(&'static str, Value, &'static str, &'static str)> {
    vec![
        (
            "size",
            json!({"resources": {"size": "huge"}}),
            "UnknownSize",
            "spec.resources.size",
        ),
        (
            "gateway",
            json!({"routes": [{"host": host, "gateway": "other/gateway"}]}),
            "GatewayNotAllowed",
            "spec.routes[0].gateway",
        ),
        (
            "reserved",
            json!({"routes": [{"host": "*.idp.localhost"}]}),
            "HostReserved",
            "spec.routes[0].host",
        ),
        (
            "databases",
            json!({"databases": [{"name": "main", "engine": "postgres"}]}),
            "CapabilityMissing",
            "spec.databases",
        ),
        (
            "secrets",
            json!({"secrets": [{"name": "key"}]}),
            "CapabilityMissing",
            "spec.secrets",
        ),
        (
            "own",
            json!({"capabilities": {"chess": {}}}),
            "CapabilityMissing",
            "spec.capabilities.chess",
        ),
        (
            "zone",
            json!({"jobs": [{"name": "a", "schedule": "@daily", "timeZone": "Mars/Base", "command": ["a"]}]}),
            "UnknownTimeZone",
            "spec.jobs[0].timeZone",
        ),
        (
            "patch",
            json!({"patches": [{"kind": "Deployment", "merge": {"spec": {"paused": true}}}]}),
            "PatchNotAllowed",
            "spec.patches[0]",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_specs_have_problems_and_create_nothing() {
    let lab = Lab::new("impossible").await;
    for (name, fields, reason, path) in impossible(&lab.ns) {
        let mut app = base(&lab.ns, name);
        app.spec = with(&app.spec, &fields);
        lab.create(&app).await;
        let problem = lab.problem(name, reason).await;
        assert!(problem.starts_with(path), "{name}: {problem}");
        let status = lab.get(name).await.status.unwrap();
        assert!(
            status.problems.iter().all(|problem| problem.hint.is_some()),
            "{:?}",
            status.problems
        );
        let stalled = status
            .conditions
            .iter()
            .find(|condition| condition.type_ == "Stalled");
        assert!(
            stalled.is_some_and(|stalled| stalled.status == "True"),
            "{stalled:?}"
        );
        assert!(status.children.is_empty(), "{name}: {:?}", status.children);
    }
    stays(Duration::from_secs(3), "nothing is made", || async {
        for (name, ..) in impossible("") {
            let made = lab.versions(name).await?;
            if !made.is_empty() {
                return Err(format!("{name} has {made:?}"));
            }
        }
        Ok(())
    })
    .await;
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_specs_do_not_affect_running_pods() {
    let lab = Lab::new("keeps").await;
    let mut app = base(&lab.ns, "shop");
    app.spec = with(&app.spec, &json!({"routes": [{"host": lab.ns}]}));
    lab.create(&app).await;
    let url = lab.ready("shop").await.status.unwrap().url;
    assert!(url.is_some());
    let before = lab.quiet_versions("shop").await;
    assert!(before.len() > 5, "{before:?}");
    for (_, fields, reason, _) in impossible(&lab.ns) {
        lab.write(
            "shop",
            &with(&with(&app.spec, &fields), &json!({"image": "shop:9.9"})),
        )
        .await;
        lab.problem("shop", reason).await;
        let status = lab.get("shop").await.status.unwrap();
        assert_eq!(
            status.children.len(),
            before.len(),
            "{reason}: the inventory is kept"
        );
        assert_eq!(status.url, url, "{reason}");
        assert_eq!(lab.versions("shop").await.unwrap(), before, "{reason}");
    }
    stays(Duration::from_secs(3), "the children are untouched", || async {
        let now = lab.versions("shop").await?;
        if now == before {
            Ok(())
        } else {
            Err(format!("{before:?} became {now:?}"))
        }
    })
    .await;
    // A valid spec is applied again.
    app.spec.image = "shop:2.0".to_owned();
    lab.write("shop", &app.spec).await;
    lab.as_rendered("shop", &app.spec).await;
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_to_hold_a_host_keeps_it() {
    let (one, two) = (Lab::new("first").await, Lab::new("second").await);
    let host = json!({"routes": [{"host": format!("contested-{}", one.ns)}]});
    let mut first = base(&one.ns, "shop");
    first.spec = with(&first.spec, &host);
    one.create(&first).await;
    one.as_rendered("shop", &first.spec).await;

    let mut second = base(&two.ns, "shop");
    second.spec = with(&second.spec, &host);
    two.create(&second).await;
    let problem = two.problem("shop", "HostTaken").await;
    assert!(problem.starts_with("spec.routes[0].host"), "{problem}");
    assert!(problem.contains(&format!("{}/shop", one.ns)), "{problem}");
    assert!(two.children("shop").await.unwrap().is_empty());
    // A change does not cost the owner its host.
    first.spec.image = "shop:2.0".to_owned();
    one.write("shop", &first.spec).await;
    one.as_rendered("shop", &first.spec).await;
    two.problem("shop", "HostTaken").await;

    one.apps()
        .delete("shop", &DeleteParams::background())
        .await
        .unwrap();
    two.as_rendered("shop", &second.spec).await;
    eventually("the problem is gone", || async {
        let app = two.apps().get("shop").await.map_err(|error| error.to_string())?;
        let problems = app.status.unwrap_or_default().problems;
        if problems.iter().any(idp_core::Problem::is_error) {
            return Err(format!("{problems:?}"));
        }
        Ok(())
    })
    .await;
    one.end().await;
    two.end().await;
}

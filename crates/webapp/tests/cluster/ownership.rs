//! Our objects and fields are restored; those of others are not touched.

use std::time::Duration;

use idp_core::Kind;
use idp_testkit::{eventually, stays};
use idp_webapp::kinds::{self, CHILDREN, CONFIG_MAP, DEPLOYMENT, SERVICE, VIRTUAL_SERVICE};
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    fragments::{base, fragments, with},
    lab::{Lab, contents},
};

/// An application with every kind of child.
fn of_every_kind(lab: &Lab, name: &str) -> idp_api::WebApplication {
    let mut app = base(&lab.ns, name);
    let host = format!("{name}-{}", lab.ns);
    let all = fragments(&host);
    for wanted in ["autoscaling", "route", "files", "jobs", "migration"] {
        let fragment = all.iter().find(|fragment| fragment.name == wanted).unwrap();
        app.spec = with(&app.spec, &fragment.spec);
    }
    let rest = json!({
        "access": {
            "inbound": [{"application": "till", "methods": ["GET"]}],
            "outbound": [{"external": {"host": "api.example.com"}}],
        },
        "observability": {"metrics": {}, "objectives": [{"name": "up", "availability": {"percent": "99.9"}}]},
    });
    app.spec = with(&app.spec, &rest);
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_child_comes_back() {
    let lab = Lab::new("deleted").await;
    let app = of_every_kind(&lab, "shop");
    lab.create(&app).await;
    let before = lab.as_rendered("shop", &app.spec).await;
    for kind in CHILDREN {
        assert!(
            before.keys().any(|(name, _)| *name == kind.kind),
            "no child is a {kind}"
        );
    }
    for ((kind, name), child) in &before {
        let kind = CHILDREN.into_iter().find(|known| known.kind == *kind).unwrap();
        let deleted = lab.objects(kind).delete(name, &DeleteParams::background()).await;
        deleted.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
        eventually(&format!("{kind} {name} is back"), || async {
            let now = lab
                .objects(kind)
                .get(name)
                .await
                .map_err(|error| error.to_string())?;
            if now.uid() == child.uid() {
                return Err("it is the old one".to_owned());
            }
            Ok(())
        })
        .await;
    }
    let mut after = contents(&lab.as_rendered("shop", &app.spec).await);
    let mut expected = contents(&before);
    // A new Deployment begins with one pod; then the autoscaler scales it up.
    for all in [&mut after, &mut expected] {
        let deployment = all.get_mut(&("Deployment", "shop".to_owned())).unwrap();
        deployment["spec"].as_object_mut().unwrap().remove("replicas");
    }
    assert_eq!(after, expected);
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_reverted() {
    let lab = Lab::new("drift").await;
    let mut app = of_every_kind(&lab, "shop");
    app.spec = with(
        &app.spec,
        &json!({"autoscaling": null, "replicas": 2, "migration": null}),
    );
    lab.create(&app).await;
    let before = contents(&lab.as_rendered("shop", &app.spec).await);
    let drifts: [(Kind, Value); 10] = [
        (DEPLOYMENT, json!({"spec": {"replicas": 7}})),
        (
            DEPLOYMENT,
            json!({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": null}}}),
        ),
        (
            SERVICE,
            json!({"spec": {"selector": {"idp.dev/application": "other"}}}),
        ),
        (
            SERVICE,
            json!({"metadata": {"labels": {"idp.dev/application": null}}}),
        ),
        (
            kinds::SERVICE_ACCOUNT,
            json!({"automountServiceAccountToken": true}),
        ),
        (
            kinds::DISRUPTION_BUDGET,
            json!({"spec": {"maxUnavailable": "50%"}}),
        ),
        (kinds::NETWORK_POLICY, json!({"spec": {"egress": [{}]}})),
        (VIRTUAL_SERVICE, json!({"spec": {"http": null}})),
        (
            kinds::PEER_AUTHENTICATION,
            json!({"spec": {"mtls": {"mode": "DISABLE"}}}),
        ),
        (kinds::AUTHORIZATION_POLICY, json!({"spec": {"action": "DENY"}})),
    ];
    let somebody = PatchParams {
        field_manager: Some("somebody".to_owned()),
        ..PatchParams::default()
    };
    for (kind, drift) in drifts {
        let mine = before.keys().filter(|(name, _)| *name == kind.kind);
        for (_, name) in mine {
            let patched = lab
                .objects(kind)
                .patch(name, &somebody, &Patch::Merge(&drift))
                .await;
            let patched = patched.unwrap_or_else(|error| panic!("{kind} {name} {drift}: {error}"));
            let version = patched.resource_version();
            eventually(&format!("{kind} {name} is mended of {drift}"), || async {
                let now = lab
                    .objects(kind)
                    .get(name)
                    .await
                    .map_err(|error| error.to_string())?;
                if now.resource_version() == version {
                    return Err("nobody has written to it".to_owned());
                }
                let all = lab.children("shop").await.map_err(|error| error.to_string())?;
                let now = contents(&all)
                    .remove(&(kind.kind, name.clone()))
                    .ok_or("not in the list".to_owned())?;
                if now != before[&(kind.kind, name.clone())] {
                    return Err("it is not as before".to_owned());
                }
                Ok(())
            })
            .await;
        }
    }
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_others_are_not_touched() {
    let lab = Lab::new("taken").await;
    let names = ["service", "settings", "deployment", "virtualservice"];
    let pods = json!({
        "selector": {"matchLabels": {"app": "foreign"}},
        "template": {"metadata": {"labels": {"app": "foreign"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}},
        "replicas": 0,
    });
    // Each object has the name of the child of the same kind.
    let objects: [(Kind, Value); 4] = [
        (SERVICE, json!({"spec": {"ports": [{"port": 81}]}})),
        (CONFIG_MAP, json!({"data": {"mine": "yes"}})),
        (DEPLOYMENT, json!({"spec": pods})),
        (
            VIRTUAL_SERVICE,
            json!({"spec": {"hosts": ["a.example.com"], "http": [{"route": [{"destination": {"host": "a"}}]}]}}),
        ),
    ];
    let lab = &lab;
    let each = names
        .into_iter()
        .zip(objects)
        .map(|(name, (kind, body))| async move {
            let mut app = base(&lab.ns, name);
            let host = format!("{name}-{}", lab.ns);
            app.spec = with(
                &app.spec,
                &json!({"routes": [{"host": host}], "configFiles": [{"path": "/etc/a", "content": "a"}]}),
            );
            let rendered = lab.rendered(name, &app.spec);
            let wanted = rendered
                .keys()
                .find(|(of, child)| *of == kind.kind && !child.ends_with("-dashboard"));
            let child = &wanted.unwrap().1;
            let mut foreign = body;
            foreign["apiVersion"] = kind.api_version().into();
            foreign["kind"] = kind.kind.into();
            foreign["metadata"] = json!({"name": child, "namespace": lab.ns});
            let params = PatchParams::apply("somebody");
            let made = lab
                .objects(kind)
                .patch(child, &params, &Patch::Apply(&foreign))
                .await
                .unwrap();

            lab.create(&app).await;
            let problem = lab.problem(name, "NameTaken").await;
            for part in [
                kind.kind,
                child,
                "written by",
                "somebody",
                "Rename this resource",
                "delete the object",
                "annotate",
            ] {
                assert!(problem.contains(part), "{part} is not in: {problem}");
            }
            let app_now = lab.get(name).await;
            let inventory = app_now.status.unwrap().children;
            assert!(
                !inventory
                    .iter()
                    .any(|one| one.kind == kind.kind && one.name == *child),
                "it is in the inventory"
            );
            // A change of the application must not touch it either.
            app.spec.image = "shop:2.0".to_owned();
            lab.write(name, &app.spec).await;
            lab.problem(name, "NameTaken").await;
            stays(
                Duration::from_secs(2),
                &format!("{kind} {child} is left alone"),
                || async {
                    let now = lab
                        .objects(kind)
                        .get(child)
                        .await
                        .map_err(|error| error.to_string())?;
                    let ours = now
                        .managed_fields()
                        .iter()
                        .any(|entry| entry.manager.as_deref() == Some("idp-webapp"));
                    // The Deployment controller writes the status of every Deployment.
                    let written = kind != DEPLOYMENT && now.resource_version() != made.resource_version();
                    if ours
                        || written
                        || now.metadata.generation != made.metadata.generation
                        || now.uid() != made.uid()
                    {
                        return Err("it was written to".to_owned());
                    }
                    Ok(())
                },
            )
            .await;

            lab.objects(kind)
                .delete(child, &DeleteParams::background())
                .await
                .unwrap();
            lab.as_rendered(name, &app.spec).await;
        });
    futures::future::join_all(each).await;
    lab.test.delete_namespace(&lab.ns).await.unwrap();
}

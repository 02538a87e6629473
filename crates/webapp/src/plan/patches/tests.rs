use idp_api::environment::AllowedPatch;
use serde_json::{Value, json};

use crate::{
    plan::{fixture::app, plan},
    validate::reason::PATCH_NOT_ALLOWED,
    validated::Validated,
};

/// `shop`, which may patch these fields of the kind, with the patch.
fn patched(kind: &str, fields: &[&str], merge: Value) -> Validated {
    let mut app = app();
    app.allowed_patches = vec![AllowedPatch {
        kind: kind.into(),
        fields: fields.iter().map(|&field| field.into()).collect(),
        namespaces: Vec::new(),
    }];
    app.patches = vec![idp_api::web_application::Patch {
        kind: kind.into(),
        name: None,
        merge,
    }];
    app
}

fn object(app: &Validated, kind: &str) -> Value {
    let plan = plan(app).unwrap();
    plan.children
        .into_iter()
        .find(|child| child.kind.kind == kind)
        .unwrap()
        .object
}

/// Reason, path and message of the only problem.
fn refusal(app: &Validated) -> (String, String, String) {
    let mut problems = plan(app).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let problem = problems.remove(0);
    assert!(problem.hint.is_some());
    (problem.reason, problem.path.unwrap(), problem.message)
}

fn pod(spec: &Value) -> Value {
    json!({"spec": {"template": {"spec": spec}}})
}

#[test]
fn what_is_allowed_is_merged() {
    let fields = [
        "spec.template.spec.terminationGracePeriodSeconds",
        "spec.template.spec.containers.env",
    ];
    let merge = pod(&json!({
        "terminationGracePeriodSeconds": 90,
        "containers": [{"name": "app", "env": [{"name": "EXTRA", "value": "1"}]}],
    }));
    let object = object(&patched("Deployment", &fields, merge), "Deployment");
    let spec = &object["spec"]["template"]["spec"];
    assert_eq!(spec["terminationGracePeriodSeconds"], 90);
    assert_eq!(spec["containers"].as_array().unwrap().len(), 1);
    assert_eq!(spec["containers"][0]["image"], "registry.example.com/shop:1");
    let env = spec["containers"][0]["env"].as_array().unwrap();
    assert!(env.contains(&json!({"name": "EXTRA", "value": "1"})) && env.len() > 1);
}

#[test]
fn required_fields_that_a_patch_leaves_out_stay() {
    let mut app = patched(
        "HorizontalPodAutoscaler",
        &["spec.behavior"],
        json!({"spec": {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 60}}}}),
    );
    app.scale = crate::validated::Scale::Auto {
        min: 2,
        max: 7,
        metrics: Default::default(),
    };
    let object = object(&app, "HorizontalPodAutoscaler");
    assert_eq!(object["spec"]["maxReplicas"], 7);
    assert_eq!(
        object["spec"]["behavior"]["scaleUp"]["stabilizationWindowSeconds"],
        60
    );
    assert_eq!(
        object["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"],
        300
    );
}

#[test]
fn what_the_policy_does_not_name_is_refused() {
    let grace = || pod(&json!({"terminationGracePeriodSeconds": 90}));
    let app = patched("Deployment", &["spec.template.spec.containers"], grace());
    let (reason, path, message) = refusal(&app);
    assert_eq!(
        (reason.as_str(), path.as_str()),
        (PATCH_NOT_ALLOWED, "spec.patches[0].merge")
    );
    assert!(
        message.contains("spec.template.spec.terminationGracePeriodSeconds of Deployment"),
        "{message}"
    );
    // A name is no prefix of a longer one.
    let app = patched("Deployment", &["spec.template.spec.termination"], grace());
    assert_eq!(refusal(&app).0, PATCH_NOT_ALLOWED);
    let mut app = patched("Deployment", &["spec.template.spec"], grace());
    assert!(plan(&app).is_ok());
    app.allowed_patches[0].namespaces = vec!["team-b".into()];
    assert_eq!(refusal(&app).0, PATCH_NOT_ALLOWED);
    // One more container is more than a changed one.
    let merge = pod(&json!({"containers": [{"name": "other", "image": "x"}]}));
    assert_eq!(
        refusal(&patched(
            "Deployment",
            &["spec.template.spec.containers.image"],
            merge
        ))
        .0,
        PATCH_NOT_ALLOWED
    );
}

#[test]
fn some_fields_are_never_patched() {
    let everything = ["apiVersion", "kind", "metadata", "spec", "status"];
    for merge in [
        json!({"apiVersion": "v2"}),
        json!({"kind": "Pod"}),
        json!({"metadata": {"name": "other"}}),
        json!({"metadata": {"namespace": "kube-system"}}),
        json!({"metadata": {"ownerReferences": []}}),
        json!({"metadata": {"finalizers": ["a/b"]}}),
        json!({"metadata": {"labels": {"idp.dev/application": "other"}}}),
        json!({"metadata": {"annotations": {"idp.dev/plan-hash": "0"}}}),
        json!({"spec": {"selector": {"matchLabels": {"a": "b"}}}}),
        json!({"spec": {"selector": {}}}),
        json!({"spec": {"template": {"metadata": {"labels": {"app.kubernetes.io/component": "job"}}}}}),
        json!({"status": {"replicas": 1}}),
    ] {
        let (reason, _, message) = refusal(&patched("Deployment", &everything, merge.clone()));
        assert_eq!(reason, PATCH_NOT_ALLOWED, "{merge}");
        assert!(message.contains("platform's own"), "{merge}: {message}");
    }
    let label = json!({"metadata": {"labels": {"team": "a"}}, "spec": {"template": {"metadata": {"labels": {"team": "a"}}}}});
    assert!(plan(&patched("Deployment", &everything, label)).is_ok());
}

#[test]
fn what_does_not_fit_is_refused() {
    for (merge, reason, what) in [
        (
            pod(&json!({"terminationGraceSeconds": 1})),
            "PatchUnknownField",
            "spec.template.spec.terminationGraceSeconds",
        ),
        (
            pod(&json!({"containers": [{"name": "app", "imge": "x"}]})),
            "PatchUnknownField",
            "containers.imge",
        ),
        (
            pod(&json!({"terminationGracePeriodSeconds": "long"})),
            "PatchInvalid",
            "long",
        ),
        (
            pod(&json!({"terminationGracePeriodSeconds": null})),
            "PatchInvalid",
            "removes",
        ),
        (pod(&json!(7)), "PatchInvalid", "spec.template.spec of Deployment"),
    ] {
        let (found, _, message) = refusal(&patched("Deployment", &["spec"], merge.clone()));
        assert_eq!(found, reason, "{merge}: {message}");
        assert!(message.contains(what), "{merge}: {message}");
    }
}

#[test]
fn there_must_be_something_to_patch() {
    let (reason, path, _) = refusal(&patched("Pod", &["spec"], json!({})));
    assert_eq!(
        (reason.as_str(), path.as_str()),
        ("PatchTargetMissing", "spec.patches[0].kind")
    );
    let mut app = patched("Deployment", &["spec"], json!({}));
    app.patches[0].name = Some("other".into());
    let (reason, path, _) = refusal(&app);
    assert_eq!(
        (reason.as_str(), path.as_str()),
        ("PatchTargetMissing", "spec.patches[0].name")
    );
}

#[test]
fn pods_stay_restricted() {
    let container = |fields: Value| {
        let mut container = json!({"name": "app"});
        container
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        json!({"containers": [container]})
    };
    let context = |fields: Value| container(json!({"securityContext": fields}));
    for (spec, what) in [
        (json!({"hostNetwork": true}), "hostNetwork"),
        (json!({"hostPID": true}), "hostPID"),
        (json!({"hostIPC": true}), "hostIPC"),
        (
            json!({"securityContext": {"runAsNonRoot": false}}),
            "runAsNonRoot",
        ),
        (json!({"securityContext": {"runAsUser": 0}}), "runAsUser"),
        (
            json!({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}),
            "seccompProfile",
        ),
        (
            json!({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}),
            "appArmorProfile",
        ),
        (
            json!({"securityContext": {"seLinuxOptions": {"type": "spc_t"}}}),
            "seLinuxOptions",
        ),
        (
            json!({"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}}),
            "kernel.msgmax",
        ),
        (
            json!({"securityContext": {"windowsOptions": {"hostProcess": true}}}),
            "hostProcess",
        ),
        (
            json!({"volumes": [{"name": "node", "hostPath": {"path": "/"}}]}),
            "volume node",
        ),
        (
            json!({"volumes": [{"name": "tmp", "hostPath": {"path": "/"}}]}),
            "volume tmp",
        ),
        (
            json!({"volumes": [{"name": "share", "nfs": {"server": "a", "path": "/"}}]}),
            "volume share",
        ),
        (context(json!({"privileged": true})), "privileged"),
        (
            context(json!({"allowPrivilegeEscalation": true})),
            "allowPrivilegeEscalation",
        ),
        (context(json!({"runAsNonRoot": false})), "runAsNonRoot"),
        (context(json!({"runAsUser": 0})), "runAsUser"),
        (context(json!({"procMount": "Unmasked"})), "procMount"),
        (
            context(json!({"capabilities": {"add": ["SYS_ADMIN"]}})),
            "SYS_ADMIN",
        ),
        (context(json!({"capabilities": {"drop": []}})), "ALL"),
        (
            context(json!({"seccompProfile": {"type": "Unconfined"}})),
            "seccompProfile",
        ),
        (
            container(json!({"ports": [{"containerPort": 8080, "hostPort": 80}]})),
            "hostPort",
        ),
        (
            container(json!({"livenessProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}}})),
            "10.0.0.1",
        ),
        (
            json!({"initContainers": [{"name": "init", "image": "x"}]}),
            "container init",
        ),
        (
            json!({"containers": [{"name": "other", "image": "x"}]}),
            "container other",
        ),
    ] {
        let (reason, _, message) = refusal(&patched("Deployment", &["spec"], pod(&spec)));
        assert_eq!(reason, "PatchBreaksPodSecurity", "{spec}: {message}");
        assert!(message.contains(what), "{spec}: {message}");
    }
    let harmless = context(json!({"capabilities": {"add": ["NET_BIND_SERVICE"]}, "runAsUser": 1000}));
    assert!(plan(&patched("Deployment", &["spec"], pod(&harmless))).is_ok());
}

#[test]
fn what_is_generated_is_restricted() {
    let mut app = app();
    app.jobs = vec![idp_api::web_application::Job {
        name: "report".into(),
        ..Default::default()
    }];
    let plan = plan(&app).unwrap();
    let pods: Vec<_> = plan
        .children
        .iter()
        .filter_map(|child| super::types::pod(child.kind, &child.object))
        .collect();
    assert_eq!(pods.len(), 2);
    for pod in pods {
        assert_eq!(super::pod_security::check(&pod), Ok(()));
    }
}

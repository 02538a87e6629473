use idp_api::environment::AllowedPatch;
use serde_json::{Value, json};

use crate::{
    plan::{fixture::app, plan},
    reasons,
    validate::Validated,
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
    app.scale = crate::validate::Scale::Auto {
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
        (reasons::PATCH_NOT_ALLOWED.name, "spec.patches[0].merge")
    );
    assert!(
        message.contains("spec.template.spec.terminationGracePeriodSeconds of Deployment"),
        "{message}"
    );
    // A name is no prefix of a longer one.
    let app = patched("Deployment", &["spec.template.spec.termination"], grace());
    assert_eq!(refusal(&app).0, reasons::PATCH_NOT_ALLOWED);
    let mut app = patched("Deployment", &["spec.template.spec"], grace());
    assert!(plan(&app).is_ok());
    app.allowed_patches[0].namespaces = vec!["team-b".into()];
    assert_eq!(refusal(&app).0, reasons::PATCH_NOT_ALLOWED);
    // One more container is more than a changed one.
    let merge = pod(&json!({"containers": [{"name": "other", "image": "x"}]}));
    assert_eq!(
        refusal(&patched(
            "Deployment",
            &["spec.template.spec.containers.image"],
            merge
        ))
        .0,
        reasons::PATCH_NOT_ALLOWED
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
        assert_eq!(reason, reasons::PATCH_NOT_ALLOWED, "{merge}");
        assert!(message.contains("belongs to the platform"), "{merge}: {message}");
    }
    let label = json!({"metadata": {"labels": {"team": "a"}}, "spec": {"template": {"metadata": {"labels": {"team": "a"}}}}});
    assert!(plan(&patched("Deployment", &everything, label)).is_ok());
}

#[test]
fn pods_stay_what_the_environment_lets_them_be() {
    let everything = ["metadata", "spec"];
    for spec in [
        json!({"serviceAccountName": "default"}),
        json!({"serviceAccount": "default"}),
        json!({"automountServiceAccountToken": true}),
        json!({"nodeName": "control-plane"}),
        json!({"nodeSelector": {"pool": "platform"}}),
        json!({"tolerations": [{"operator": "Exists"}]}),
        json!({"priorityClassName": "system-node-critical"}),
        json!({"priority": 2_000_001_000}),
        json!({"preemptionPolicy": "PreemptLowerPriority"}),
        json!({"schedulerName": "mine"}),
        json!({"runtimeClassName": "runc"}),
        json!({"hostNetwork": true}),
        json!({"hostPID": true}),
        json!({"hostIPC": true}),
        json!({"hostUsers": true}),
        json!({"volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "audience": "vault"}}]}}]}),
        json!({"volumes": [{"name": "t", "projected": {"sources": [{"clusterTrustBundle": {"path": "t"}}]}}]}),
        json!({"volumes": [{"name": "t", "csi": {"driver": "secrets-store.csi.k8s.io"}}]}),
        json!({"volumes": [{"name": "t", "ephemeral": {"volumeClaimTemplate": {"spec": {"resources": {"requests": {"storage": "900Ei"}}}}}}]}),
        json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "namespaceSelector": {}, "labelSelector": {}}]}}}),
        json!({"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "podAffinityTerm": {"topologyKey": "a", "namespaces": ["team-b"]}}]}}}),
    ] {
        let (reason, _, message) = refusal(&patched("Deployment", &everything, pod(&spec)));
        assert_eq!(reason, reasons::PATCH_NOT_ALLOWED, "{spec}: {message}");
    }
    let own = json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"a": "b"}}}]}}});
    assert!(plan(&patched("Deployment", &everything, pod(&own))).is_ok());
    let large = json!({"containers": [{"name": "app", "resources": {"requests": {"cpu": "240"}}}]});
    assert_eq!(
        refusal(&patched("Deployment", &everything, pod(&large))).0,
        "LimitExceeded"
    );
}

#[test]
fn images_stay_those_of_the_registries() {
    let image = |image: &str| pod(&json!({"containers": [{"name": "app", "image": image}]}));
    let volume = pod(&json!({"volumes": [{"name": "v", "image": {"reference": "evil.example.org/x:1"}}]}));
    let refused = |merge: Value, digest: bool| {
        let mut app = patched("Deployment", &["spec"], merge);
        app.registry.allowed = vec!["registry.example.com/".into()];
        app.registry.require_digest = digest;
        plan(&app).err().map(|mut problems| problems.remove(0).reason)
    };
    assert_eq!(
        refused(image("evil.example.org/x:1"), false).as_deref(),
        Some("ImageNotAllowed")
    );
    assert_eq!(refused(volume, false).as_deref(), Some("ImageNotAllowed"));
    assert_eq!(
        refused(image("registry.example.com/x:1"), true).as_deref(),
        Some("ImageNeedsDigest")
    );
    assert_eq!(refused(image("registry.example.com/x:1"), false), None);
}

#[test]
fn keys_that_other_programs_act_on_are_closed() {
    let wide = ["metadata", "spec"];
    let on = |key: &str| {
        [
            json!({"metadata": {"labels": {key: "x"}}}),
            json!({"metadata": {"annotations": {key: "x"}}}),
            json!({"spec": {"template": {"metadata": {"labels": {key: "x"}}}}}),
            json!({"spec": {"template": {"metadata": {"annotations": {key: "x"}}}}}),
        ]
    };
    for key in [
        "sidecar.istio.io/inject",
        "traffic.sidecar.istio.io/excludeOutboundIPRanges",
        "istio.io/dataplane-mode",
        "ambient.istio.io/redirection",
        "proxy.istio.io/config",
        "inject.istio.io/templates",
        "idp.dev/application",
        "app.kubernetes.io/managed-by",
        "istio",
        "grafana_dashboard",
        "container.apparmor.security.beta.kubernetes.io/app",
        // Of others, which a policy could open by name.
        "external-dns.alpha.kubernetes.io/hostname",
        "cert-manager.io/cluster-issuer",
        "argocd.argoproj.io/tracking-id",
        "k8s.v1.cni.cncf.io/networks",
        "cluster-autoscaler.kubernetes.io/safe-to-evict",
    ] {
        for merge in on(key) {
            let (reason, ..) = refusal(&patched("Deployment", &wide, merge.clone()));
            assert_eq!(reason, reasons::PATCH_NOT_ALLOWED, "{merge}");
        }
    }
    for field in ["finalizers", "ownerReferences", "name", "namespace"] {
        let value = if field.ends_with('s') {
            json!([])
        } else {
            json!("x")
        };
        let merge = json!({"spec": {"template": {"metadata": {field: value}}}});
        assert_eq!(
            refusal(&patched("Deployment", &wide, merge)).0,
            reasons::PATCH_NOT_ALLOWED,
            "{field}"
        );
    }
    let by_name = |opened: &str, key: &str| {
        let merge = json!({"metadata": {"annotations": {key: "x"}}});
        plan(&patched("Deployment", &[opened], merge)).is_ok()
    };
    assert!(by_name("metadata.annotations", "note"));
    assert!(!by_name("metadata.annotations", "example.com/team"));
    assert!(by_name(
        "metadata.annotations.example.com/team",
        "example.com/team"
    ));
    assert!(by_name("metadata.annotations.example.com/", "example.com/team"));
    assert!(!by_name(
        "metadata.annotations.example.com/",
        "example.com.evil/team"
    ));
    assert!(!by_name(
        "metadata.annotations.sidecar.istio.io/inject",
        "sidecar.istio.io/inject"
    ));
}

/// An application that has every kind of child.
fn whole(kind: &str, merge: Value) -> Validated {
    let mut app = patched(
        kind,
        &[
            "metadata",
            "spec",
            "data",
            "imagePullSecrets",
            "automountServiceAccountToken",
        ],
        merge,
    );
    app.scale = crate::validate::Scale::Auto {
        min: 2,
        max: 7,
        metrics: Default::default(),
    };
    app.routes = vec![crate::plan::fixture::route("a.example.com", "/")];
    app.outbound = vec![crate::plan::fixture::external("b.example.com", 443)];
    app.metrics = Some(crate::plan::fixture::metrics(crate::plan::fixture::port(
        "http", 8080,
    )));
    app.config_files = vec![idp_api::web_application::ConfigFile {
        path: "/a".into(),
        content: "1".into(),
    }];
    app.jobs = vec![idp_api::web_application::Job {
        name: "report".into(),
        ..Default::default()
    }];
    app
}

#[test]
fn no_kind_is_a_way_out() {
    let run = |spec: Value| json!({"spec": {"jobTemplate": {"spec": spec}}});
    for (kind, merge) in [
        ("ServiceAccount", json!({"automountServiceAccountToken": true})),
        ("ServiceAccount", json!({"imagePullSecrets": [{"name": "x"}]})),
        (
            "ServiceAccount",
            json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "x"}}}),
        ),
        ("ConfigMap", json!({"data": {"x": "y"}})),
        (
            "ConfigMap",
            json!({"metadata": {"annotations": {"k8s-sidecar-target-directory": "/etc"}}}),
        ),
        ("Service", json!({"spec": {"type": "LoadBalancer"}})),
        ("Service", json!({"spec": {"externalIPs": ["10.0.0.1"]}})),
        ("Service", json!({"spec": {"externalName": "victim.svc"}})),
        (
            "Service",
            json!({"spec": {"ports": [{"name": "x", "port": 1, "nodePort": 30000}]}}),
        ),
        ("Service", json!({"spec": {"clusterIP": "10.0.0.10"}})),
        ("Deployment", json!({"spec": {"replicas": 1000}})),
        ("HorizontalPodAutoscaler", json!({"spec": {"maxReplicas": 1000}})),
        ("HorizontalPodAutoscaler", json!({"spec": {"metrics": []}})),
        ("PodDisruptionBudget", json!({"spec": {"maxUnavailable": 0}})),
        ("NetworkPolicy", json!({"spec": {"egress": [{}]}})),
        ("NetworkPolicy", json!({"spec": {"podSelector": {}}})),
        ("VirtualService", json!({"spec": {"hosts": ["*"]}})),
        (
            "VirtualService",
            json!({"spec": {"http": [{"route": [{"destination": {"host": "victim.team-b.svc.cluster.local"}}]}]}}),
        ),
        ("Gateway", json!({"spec": {"servers": []}})),
        (
            "DestinationRule",
            json!({"spec": {"host": "*.svc.cluster.local"}}),
        ),
        ("DestinationRule", json!({"spec": {"exportTo": ["*"]}})),
        (
            "DestinationRule",
            json!({"spec": {"trafficPolicy": {"tls": {"mode": "DISABLE"}}}}),
        ),
        (
            "DestinationRule",
            json!({"spec": {"trafficPolicy": {"portLevelSettings": []}}}),
        ),
        (
            "ServiceEntry",
            json!({"spec": {"addresses": ["169.254.169.254"]}}),
        ),
        ("ServiceEntry", json!({"spec": {"exportTo": ["*"]}})),
        ("AuthorizationPolicy", json!({"spec": {"rules": [{}]}})),
        (
            "PeerAuthentication",
            json!({"spec": {"mtls": {"mode": "DISABLE"}}}),
        ),
        (
            "ServiceMonitor",
            json!({"spec": {"namespaceSelector": {"any": true}}}),
        ),
        (
            "ServiceMonitor",
            json!({"spec": {"endpoints": [{"bearerTokenFile": "/var/run/secrets/token"}]}}),
        ),
        ("PrometheusRule", json!({"spec": {"groups": []}})),
        ("CronJob", json!({"spec": {"schedule": "* * * * *"}})),
        ("CronJob", json!({"spec": {"concurrencyPolicy": "Allow"}})),
        ("CronJob", run(json!({"parallelism": 1000}))),
        ("CronJob", run(json!({"activeDeadlineSeconds": 1_000_000}))),
        (
            "CronJob",
            run(json!({"template": {"spec": {"priorityClassName": "important"}}})),
        ),
        (
            "CronJob",
            run(json!({"template": {"spec": {"tolerations": [{"operator": "Exists"}]}}})),
        ),
        (
            "CronJob",
            run(json!({"template": {"metadata": {"labels": {"sidecar.istio.io/inject": "false"}}}})),
        ),
        (
            "CronJob",
            json!({"spec": {"jobTemplate": {"metadata": {"finalizers": ["a/b"]}}}}),
        ),
    ] {
        let (reason, _, message) = refusal(&whole(kind, merge.clone()));
        assert_eq!(reason, reasons::PATCH_NOT_ALLOWED, "{kind} {merge}: {message}");
    }
    for (kind, merge) in [
        ("Service", json!({"spec": {"trafficDistribution": "PreferClose"}})),
        (
            "HorizontalPodAutoscaler",
            json!({"spec": {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 1}}}}),
        ),
        (
            "DestinationRule",
            json!({"spec": {"trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 7}}}}}),
        ),
        ("CronJob", json!({"spec": {"startingDeadlineSeconds": 60}})),
        ("VirtualService", json!({"metadata": {"labels": {"team": "a"}}})),
    ] {
        assert!(plan(&whole(kind, merge.clone())).is_ok(), "{kind} {merge}");
    }
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

//! Pods of controllers: Pod Security `restricted` and more, replicas, and network policies.

use idp_testkit::chart::{CHARTS, Chart};
use serde_json::{Value, json};

use crate::{CAPABILITIES, only};

async fn pod(chart: &Chart) -> Value {
    only(chart, "Deployment").await["spec"]["template"]["spec"].clone()
}

#[tokio::test]
async fn pods_are_restricted_and_cannot_write_to_their_own_files() {
    for name in CHARTS {
        let pod = pod(&Chart::of(name)).await;
        let security = &pod["securityContext"];
        assert_eq!(security["runAsNonRoot"], true, "{name}");
        assert_ne!(security["runAsUser"].as_u64().unwrap(), 0, "{name}");
        assert_eq!(
            security["seccompProfile"],
            json!({"type": "RuntimeDefault"}),
            "{name}"
        );
        for field in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(pod[field].is_null(), "{name}: {field}");
        }
        let containers = pod["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 1, "{name}");
        let wanted = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(containers[0]["securityContext"], wanted, "{name}");
        assert!(
            containers[0]["resources"]["limits"]["memory"].is_string(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn only_the_approver_of_its_own_certificate_starts_without_it() {
    for name in CHARTS {
        let pod = pod(&Chart::of(name)).await;
        let volume = &pod["volumes"][0];
        assert_eq!(volume["secret"]["secretName"], format!("{name}-tls"));
        let optional = volume["secret"]["optional"].as_bool().unwrap_or_default();
        assert_eq!(optional, name == "idp-certificate-policy", "{name}");
        let mount = json!({"name": volume["name"], "mountPath": "/etc/idp/tls", "readOnly": true});
        assert_eq!(pod["containers"][0]["volumeMounts"], json!([mount]), "{name}");
    }
}

#[tokio::test]
async fn probes_use_the_health_port() {
    for name in CHARTS {
        let container = &pod(&Chart::of(name)).await["containers"][0];
        let ports = container["ports"].as_array().unwrap();
        assert!(
            ports.contains(&json!({"name": "health", "containerPort": 8080})),
            "{name}"
        );
        for (probe, path) in [("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
            assert_eq!(
                container[probe]["httpGet"],
                json!({"path": path, "port": "health"}),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn two_replicas_elect_a_leader_in_the_namespace_of_the_release() {
    for name in CHARTS {
        let chart = Chart::of(name).within("elsewhere");
        let deployment = only(&chart, "Deployment").await;
        assert_eq!(deployment["spec"]["replicas"], 2, "{name}");
        let args = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
            .as_array()
            .unwrap();
        assert!(args.contains(&json!("--leader-elect=true")), "{name}: {args:?}");
        assert!(
            args.contains(&json!("--lease-namespace=elsewhere")),
            "{name}: {args:?}"
        );
        let labels = &deployment["spec"]["selector"];
        let budget = only(&chart, "PodDisruptionBudget").await;
        assert_eq!(budget["spec"]["maxUnavailable"], 1, "{name}");
        assert_eq!(&budget["spec"]["selector"], labels, "{name}");
        let spread = &deployment["spec"]["template"]["spec"]["topologySpreadConstraints"];
        assert_eq!(spread[0]["topologyKey"], "kubernetes.io/hostname", "{name}");
        assert_eq!(&spread[0]["labelSelector"], labels, "{name}");
    }
}

#[tokio::test]
async fn grpc_is_only_open_to_controllers_of_the_namespace() {
    let health = json!({"ports": [{"port": "health"}]});
    for name in CHARTS {
        let policy = only(&Chart::of(name), "NetworkPolicy").await;
        assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress"]), "{name}");
        let controllers = json!({
            "from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "idp"}}}],
            "ports": [{"port": "grpc"}],
        });
        let serves = CAPABILITIES.iter().any(|(capability, _)| *capability == name);
        let wanted = if serves {
            json!([controllers, health])
        } else {
            json!([health])
        };
        assert_eq!(policy["spec"]["ingress"], wanted, "{name}");
        let deployment = only(&Chart::of(name), "Deployment").await;
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/part-of"], "idp", "{name}");
        assert_eq!(
            policy["spec"]["podSelector"], deployment["spec"]["selector"],
            "{name}"
        );
    }
}

//! Permissions of controllers: those of platform/operators, which are tested against their requests.

use idp_testkit::{
    chart::{CHARTS, Chart},
    root,
};
use serde_json::{Value, json};

/// An object without the labels that the chart adds.
fn bare(mut object: Value) -> Value {
    object["metadata"].as_object_mut().unwrap().remove("labels");
    object
}

async fn matches(chart: &Chart, file: &str, kinds: &[&str]) {
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    let reviewed: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    for kind in kinds {
        let wanted = reviewed.iter().filter(|object| object["kind"] == *kind);
        let wanted: Vec<Value> = wanted.cloned().map(bare).collect();
        let rendered = chart.of_kind(kind).await.unwrap().into_iter().map(bare);
        let rendered: Vec<Value> = rendered.collect();
        assert!(!wanted.is_empty(), "{file} has no {kind}");
        assert_eq!(rendered, wanted, "{kind} of {file}");
    }
}

#[tokio::test]
async fn permissions_are_those_of_the_reviewed_file() {
    let kinds = [
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
    ];
    for name in CHARTS {
        let file = format!("platform/operators/{name}/rbac.yaml");
        matches(&Chart::of(name), &file, &kinds).await;
    }
}

#[tokio::test]
async fn no_controller_has_a_permission_on_secrets() {
    for name in CHARTS {
        for kind in ["ClusterRole", "Role"] {
            for role in Chart::of(name).of_kind(kind).await.unwrap() {
                for rule in role["rules"].as_array().unwrap() {
                    let resources = rule["resources"].as_array().unwrap();
                    let open = |name: &Value| name == "*" || name == "secrets";
                    assert!(!resources.iter().any(open), "{name}: {rule}");
                }
            }
        }
    }
}

#[tokio::test]
async fn alerts_are_those_of_the_reviewed_file_and_have_selectable_labels() {
    let name = "idp-certificate-policy";
    let chart = Chart::of(name)
        .with("alerts.enabled=true")
        .with(r#"alerts.labels.release="metrics""#);
    matches(
        &chart,
        &format!("platform/operators/{name}/alerts.yaml"),
        &["PrometheusRule"],
    )
    .await;
    let rule = super::only(&chart, "PrometheusRule").await;
    assert_eq!(rule["metadata"]["labels"]["release"], json!("metrics"));
    let silent = Chart::of(name).of_kind("PrometheusRule").await.unwrap();
    assert!(
        silent.is_empty(),
        "off by default, because the CRD may be missing"
    );
}

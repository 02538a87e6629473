//! Charts of peers, rendered with our values.

use std::{fs, path::Path};

use idp_cluster::Peer;
use idp_testkit::{chart::rendered, root};
use serde_json::{Map, Value};

/// Copies a chart into `to`, without the charts that it depends on, which are disabled and in a registry.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else if entry.file_name() == "Chart.yaml" {
            let mut chart: Map<String, Value> =
                serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            chart.remove("dependencies");
            fs::write(target, serde_json::to_string(&chart).unwrap()).unwrap();
        } else if entry.file_name() != "Chart.lock" {
            // Files of the module cache are read-only; their copies need not be.
            fs::write(target, fs::read(&path).unwrap()).unwrap();
        }
    }
}

/// A peer's chart, rendered with these values or without values.
async fn objects(peer: Peer, folder: &str, values: Option<&str>) -> Vec<Value> {
    let module = idp_cluster::published(peer).await.unwrap();
    let work = tempfile::tempdir().unwrap();
    copy(&module.join(folder), work.path());
    let values = values.map(|file| root().join(file));
    rendered(work.path(), values.as_deref()).await.unwrap()
}

/// ClusterRoles that aggregate to the role `to`.
fn aggregated<'a>(objects: &'a [Value], to: &str) -> Vec<&'a str> {
    let label = format!("rbac.authorization.k8s.io/aggregate-to-{to}");
    let gives = |role: &&Value| role["metadata"]["labels"][&label] == "true";
    let roles = objects
        .iter()
        .filter(|object| object["kind"] == "ClusterRole")
        .filter(gives);
    roles
        .map(|role| role["metadata"]["name"].as_str().unwrap())
        .collect()
}

fn arguments(objects: &[Value], deployment: &str) -> String {
    let found = objects
        .iter()
        .find(|object| object["kind"] == "Deployment" && object["metadata"]["name"] == deployment);
    found.unwrap()["spec"]["template"]["spec"]["containers"][0].to_string()
}

#[tokio::test]
async fn external_secrets_grants_tenants_nothing() {
    const CHART: &str = "deploy/charts/external-secrets";
    let as_shipped = objects(Peer::ExternalSecrets, CHART, None).await;
    assert!(
        !aggregated(&as_shipped, "edit").is_empty(),
        "otherwise this test shows nothing"
    );
    let ours = objects(
        Peer::ExternalSecrets,
        CHART,
        Some("secrets/external-secrets/values.yaml"),
    )
    .await;
    assert_eq!(aggregated(&ours, "edit"), Vec::<&str>::new());
    // No value of the chart prevents aggregation to `admin`: platform/admission/external-secrets.yaml restricts it.
    assert_eq!(aggregated(&ours, "admin").len(), 2);
    let operator = arguments(&ours, "release-external-secrets");
    for part in [
        ":v1.2.0",
        "--enable-cluster-external-secret-reconciler=false",
        "--enable-push-secret-reconciler=false",
    ] {
        assert!(operator.contains(part), "{part} in {operator}");
    }
}

#[tokio::test]
async fn cert_manager_grants_tenants_nothing_and_approves_nothing() {
    const CHART: &str = "deploy/charts/cert-manager";
    let as_shipped = objects(Peer::CertManager, CHART, None).await;
    assert!(
        !aggregated(&as_shipped, "edit").is_empty(),
        "otherwise this test shows nothing"
    );
    let ours = objects(Peer::CertManager, CHART, Some("secrets/cert-manager/values.yaml")).await;
    for role in ["edit", "admin"] {
        assert_eq!(aggregated(&ours, role), Vec::<&str>::new());
    }
    let controller = arguments(&ours, "release-cert-manager");
    assert!(
        controller.contains("-certificaterequests-approver"),
        "{controller}"
    );
}

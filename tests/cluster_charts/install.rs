//! A separate cluster with a real node, cert-manager, and the charts.

use idp_cluster::{Addon, Manifest, Nodes, Purge, UpOptions, apply_manifests, down, install_packages, up};
use idp_testkit::{
    TestCluster,
    chart::{CHARTS, Chart},
    load_controller_image, root,
};
use k8s_openapi::api::core::v1::Service;
use kube::{Api, api::ListParams};
use serde_json::json;

/// Its name; `.ci/run` stops it after a failure.
const CLUSTER: &str = "charts";
pub(crate) const POLICY: &str = "idp-certificate-policy";
pub(crate) const WEBAPP: &str = "idp-webapp";

/// The cluster, installed as in the README of the charts.
pub(crate) async fn installed() -> TestCluster {
    down(CLUSTER, Purge::Everything).await.unwrap();
    install_packages(&()).await.unwrap();
    let options = UpOptions {
        name: CLUSTER.to_owned(),
        nodes: Nodes::Both { kwok: 1 },
        addons: vec![Addon::CertManager],
        ..UpOptions::default()
    };
    let cluster = up(&options, &()).await.unwrap();
    let client = cluster.client().await.unwrap();
    let test = TestCluster { cluster, client };
    test.namespace_named("idp-system").await.unwrap();
    let capabilities = CHARTS.iter().filter(|name| **name != WEBAPP);
    for name in capabilities {
        let release = release(&test, name).await;
        release.install(&test.cluster).await.unwrap();
    }
    let webapp = webapp(&test).await;
    webapp.install(&test.cluster).await.unwrap();
    let folders = [
        "secrets/cert-manager/grpc",
        "secrets/cert-manager/local",
        "platform/environments",
    ];
    apply_manifests(&test.client, &folders.map(manifests).concat())
        .await
        .unwrap();
    test
}

/// The WebApplication controller, after the capabilities.
pub(crate) async fn webapp(test: &TestCluster) -> Chart {
    let known = json!(addresses(test).await);
    let webapp = release(test, WEBAPP).await;
    webapp.with(&format!("hostAliases={known}"))
}

/// Purges the cluster.
pub(crate) async fn end() {
    down(CLUSTER, Purge::Everything).await.unwrap();
}

/// A chart with all options enabled, and its image by digest, as in production.
async fn release(test: &TestCluster, name: &'static str) -> Chart {
    let digest = load_controller_image(&test.cluster, name).await.unwrap();
    Chart::of(name)
        .with(r#"image.pullPolicy="Never""#)
        .with(&format!("image.digest={digest:?}"))
        .with("serviceMonitor.enabled=true")
        .with("alerts.enabled=true")
}

/// Names of capabilities, with the addresses of their Services, because the cluster has no DNS.
async fn addresses(test: &TestCluster) -> Vec<serde_json::Value> {
    let services: Api<Service> = Api::namespaced(test.client.clone(), "idp-system");
    let ours = ListParams::default().labels("idp.dev/capability");
    let services = services.list(&ours).await.unwrap().items.into_iter();
    let alias = |service: Service| {
        let (name, spec) = (service.metadata.name.unwrap(), service.spec.unwrap());
        json!({"ip": spec.cluster_ip.unwrap(), "hostnames": [format!("{name}.idp-system.svc")]})
    };
    services.map(alias).collect()
}

/// The manifests of a folder for a local cluster.
fn manifests(folder: &str) -> Vec<Manifest> {
    let files = std::fs::read_dir(root().join(folder)).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let local = |file: &std::path::PathBuf| !folder.ends_with("environments") || file.ends_with("local.yaml");
    files
        .filter(local)
        .map(|file| Manifest {
            text: std::fs::read_to_string(&file).unwrap(),
            source: file.display().to_string(),
        })
        .collect()
}

//! The set-up of a test: an issuer, the repository's manifests, and the controller.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};

use anyhow::ensure;
use idp_certificate_policy::NAME;
use idp_cluster::{Manifest, apply_manifests};
use idp_core::Kind;
use idp_testkit::{
    Controller, TestCluster,
    chart::{CHARTS, Chart},
    eventually_within, root,
};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{DynamicObject, PostParams},
};
use serde_json::json;
use tokio::sync::Mutex;

use super::{LONG, Running};

pub(super) fn cluster_issuers(client: &Client) -> Api<DynamicObject> {
    let kind = Kind::cluster("cert-manager.io", "v1", "ClusterIssuer", "clusterissuers");
    Api::all_with(client.clone(), &kind.api_resource())
}

/// Creates a CA for this test. Its Secret is in cert-manager's namespace, as for every ClusterIssuer.
pub(super) async fn issuer(client: &Client, ns: &str) -> String {
    let name = format!("ca-{ns}");
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name.as_str());
    let certificate = params.self_signed(&key).unwrap();
    let secret = json!({
        "metadata": {"name": name}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": certificate.pem(), "tls.key": key.serialize_pem()},
    });
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "cert-manager");
    secrets
        .create(&PostParams::default(), &serde_json::from_value(secret).unwrap())
        .await
        .unwrap();
    let issuer = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
        "metadata": {"name": name}, "spec": {"ca": {"secretName": name}},
    });
    cluster_issuers(client)
        .create(&PostParams::default(), &serde_json::from_value(issuer).unwrap())
        .await
        .unwrap();
    name
}

/// The controller, which tests share: the first test starts it, and it ends with the last.
pub(super) async fn running(test: &TestCluster) -> Arc<Running> {
    static RUNNING: Mutex<Weak<Running>> = Mutex::const_new(Weak::new());
    let mut running = RUNNING.lock().await;
    if let Some(running) = running.upgrade() {
        return running;
    }
    let tls = crate::capability::certificates();
    let started = Arc::new(Running {
        controller: start(test, &tls).await,
        tls,
    });
    // The Environment's issuer. The controller approves the certificate of its CA.
    apply_manifests(&test.client, &files(&["secrets/cert-manager/local"]))
        .await
        .unwrap();
    *running = Arc::downgrade(&started);
    started
}

/// Starts a controller process and waits until it leads, with complete caches.
pub(crate) async fn start(test: &TestCluster, tls: &Path) -> Controller {
    let log =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("certificate-policy-{}.log", std::process::id()));
    let kubeconfig = test.controller_kubeconfig(NAME).await.unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_idp-certificate-policy"));
    let tls = format!("--tls-dir={}", tls.display());
    let _ = std::fs::remove_file(&log);
    let controller =
        Controller::start(program, &kubeconfig, &log, &["--grpc-address=127.0.0.1:0", &tls]).unwrap();
    eventually_within(LONG, "the controller leads", || async {
        ensure!(controller.leads().await, "log: {}", controller.log());
        Ok(())
    })
    .await;
    controller
}

/// The manifests of the repository in these folders.
pub(crate) fn files(folders: &[&str]) -> Vec<Manifest> {
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(root().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| Manifest {
            text: std::fs::read_to_string(&file).unwrap(),
            source: file.display().to_string(),
        })
        .collect()
}

/// The certificates of our own controllers, as their charts order them.
pub(crate) async fn own_certificates() -> Vec<Manifest> {
    let mut manifests = Vec::new();
    for name in CHARTS {
        let certificates = Chart::of(name).of_kind("Certificate").await.unwrap();
        manifests.extend(certificates.iter().map(|certificate| Manifest {
            text: certificate.to_string(),
            source: format!("charts/{name}"),
        }));
    }
    manifests
}

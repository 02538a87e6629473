//! The controller approves its own certificate, which its gRPC needs: it starts with nothing but the manifests.

use std::{path::Path, time::Duration};

use anyhow::{Context, ensure};
use idp_certificate_policy::NAME;
use idp_cluster::apply_manifests;
use idp_rpc::capability as rpc;
use idp_testkit::eventually_within;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Secret};
use kube::{Api, api::DeleteParams};

use crate::{
    capability::peer_of,
    lab::{self, LONG, Lab, files, own_certificates},
};

/// The name of the Secret with a controller's certificate.
fn secret(controller: &str) -> String {
    format!("{controller}-tls")
}

/// Mounts a Secret as files once it exists, as the kubelet does for an optional volume.
async fn mount(secrets: &Api<Secret>, name: &str, folder: &Path) {
    let data = eventually_within(LONG, &format!("{name} is issued"), || async {
        let data = secrets.get(name).await?.data.context("the Secret is empty")?;
        ensure!(data.contains_key("tls.crt"), "no certificate yet");
        Ok(data)
    })
    .await;
    // The certificate last, because the controller waits for it.
    for file in ["ca.crt", "tls.key", "tls.crt"] {
        std::fs::write(folder.join(file), &data[file].0).unwrap();
    }
}

#[tokio::test]
async fn it_starts_without_its_certificate_and_restarts_with_it() {
    let mut lab = Lab::alone().await;
    lab.kill();
    let mut manifests = files(&["secrets/cert-manager/grpc"]);
    manifests.extend(own_certificates().await);
    apply_manifests(&lab.client, &manifests).await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(lab.client.clone(), "idp-system");
    let callers = "idp-webapp";
    // As in a new cluster. No approver runs now, so the Secrets stay deleted.
    for name in [NAME, callers] {
        let _ = secrets.delete(&secret(name), &DeleteParams::default()).await;
    }
    let folder = tempfile::tempdir().unwrap();

    let first = lab::start(&lab.test, folder.path()).await;
    assert!(!first.log().contains("Serving gRPC."), "{}", first.log());
    mount(&secrets, &secret(NAME), folder.path()).await;
    let ended = tokio::time::timeout(Duration::from_secs(30), first.ends()).await;
    assert!(
        ended.expect("the controller ends").unwrap(),
        "the exit code is 0, because the controller only wants a restart"
    );
    let leases: Api<Lease> = Api::namespaced(lab.client.clone(), "idp-system");
    let lease = leases.get(NAME).await.unwrap().spec.unwrap();
    assert_eq!(
        lease.holder_identity, None,
        "the next process does not have to wait until the Lease expires"
    );

    let second = lab::start(&lab.test, folder.path()).await;
    let caller = tempfile::tempdir().unwrap();
    mount(&secrets, &secret(callers), caller.path()).await;
    let described = peer_of(&second, caller.path()).call(rpc::describe).await.unwrap();
    assert_eq!(described.name, "certificates");
    drop(second);
    lab.clean().await;
}

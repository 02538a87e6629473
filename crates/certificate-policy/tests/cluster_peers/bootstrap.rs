//! The controller approves its own certificate, which its gRPC needs: it comes up with nothing but the manifests.

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

/// Name of the Secret of a controller's certificates.
fn secret(controller: &str) -> String {
    format!("{controller}-tls")
}

/// Plays the kubelet, which mounts a Secret as files; not before it is there, as with an optional volume.
async fn mount(secrets: &Api<Secret>, name: &str, folder: &Path) {
    let data = eventually_within(LONG, &format!("{name} is issued"), || async {
        let data = secrets.get(name).await?.data.context("nothing in it")?;
        ensure!(data.contains_key("tls.crt"), "no certificate yet");
        Ok(data)
    })
    .await;
    // The certificate last: with it the others are there.
    for file in ["ca.crt", "tls.key", "tls.crt"] {
        std::fs::write(folder.join(file), &data[file].0).unwrap();
    }
}

#[tokio::test]
async fn it_comes_up_without_its_certificate_and_again_with_it() {
    let mut lab = Lab::alone().await;
    lab.kill();
    let mut manifests = files(&["secrets/cert-manager/grpc"]);
    manifests.extend(own_certificates().await);
    apply_manifests(&lab.client, &manifests).await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(lab.client.clone(), "idp-system");
    let callers = "idp-webapp";
    // As in a new cluster. Nobody approves meanwhile, so that they do not come back by themselves.
    for name in [NAME, callers] {
        let _ = secrets.delete(&secret(name), &DeleteParams::default()).await;
    }
    let folder = tempfile::tempdir().unwrap();

    let first = lab::start(&lab.test, folder.path()).await;
    assert!(!first.log().contains("Serving gRPC."), "{}", first.log());
    mount(&secrets, &secret(NAME), folder.path()).await;
    let ended = tokio::time::timeout(Duration::from_secs(30), first.ends()).await;
    assert!(
        ended.expect("it ends").unwrap(),
        "and well: it is to be started again"
    );
    let leases: Api<Lease> = Api::namespaced(lab.client.clone(), "idp-system");
    let lease = leases.get(NAME).await.unwrap().spec.unwrap();
    assert_eq!(
        lease.holder_identity, None,
        "the next one need not wait for the Lease to run out"
    );

    let second = lab::start(&lab.test, folder.path()).await;
    let caller = tempfile::tempdir().unwrap();
    mount(&secrets, &secret(callers), caller.path()).await;
    let described = peer_of(&second, caller.path()).call(rpc::describe).await.unwrap();
    assert_eq!(described.name, "certificates");
    drop(second);
    lab.clean().await;
}

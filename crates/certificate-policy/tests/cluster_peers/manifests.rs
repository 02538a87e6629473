//! The manifests of the repository, on a real API server with cert-manager.

use anyhow::{Context, ensure};
use idp_certificate_policy::kinds::CERTIFICATE;
use idp_cluster::apply_manifests;
use idp_testkit::{eventually_within, root};
use serde_json::Value;

use crate::lab::{LONG, Lab, dynamic, files, own_certificates};

#[tokio::test]
async fn the_local_ca_and_our_own_certificates_are_issued_without_help() {
    let lab = Lab::enter().await;
    let mut manifests = files(&["secrets/cert-manager/local", "secrets/cert-manager/grpc"]);
    manifests.extend(own_certificates().await);
    apply_manifests(&lab.client, &manifests).await.unwrap();
    let wanted = [
        ("cert-manager", "local-ca"),
        ("idp-system", "idp-grpc-ca"),
        ("idp-system", "idp-webapp"),
        ("idp-system", "idp-secrets-bridge"),
        ("idp-system", "idp-certificate-policy"),
        ("idp-system", "idp-claim-broker"),
    ];
    for (namespace, name) in wanted {
        eventually_within(LONG, &format!("{namespace}/{name} is issued"), || async {
            let certificate = dynamic(&lab.client, CERTIFICATE, namespace).get(name).await?;
            let conditions = certificate.data["status"]["conditions"]
                .as_array()
                .context("none")?;
            let ready = |found: &Value| found["type"] == "Ready" && found["status"] == "True";
            ensure!(conditions.iter().any(ready), "{conditions:?}");
            Ok(())
        })
        .await;
    }
    let pem = lab.issued("idp-system", "idp-webapp-tls", LONG).await;
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
    let certificate = pem.parse_x509().unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    let names: Vec<String> = names
        .value
        .general_names
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        names
            .iter()
            .any(|name| name.contains("spiffe://idp.dev/ns/idp-system/sa/idp-webapp")),
        "{names:?}"
    );
    lab.clean().await;
}

#[tokio::test]
async fn every_manifest_is_accepted() {
    let lab = Lab::enter().await;
    for folder in [
        "secrets/cert-manager/staging/policies.yaml",
        "secrets/cert-manager/production/policies.yaml",
        "platform/admission/hosts.yaml",
        "platform/operators/idp-certificate-policy",
    ] {
        let mut kubectl = lab.test.cluster.kubectl().unwrap();
        kubectl
            .args(["apply", "--dry-run=server", "-f"])
            .arg(root().join(folder));
        let output = kubectl.output().unwrap();
        assert!(
            output.status.success(),
            "{folder}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    for environment in ["staging", "production"] {
        let file = root().join(format!("secrets/cert-manager/{environment}/issuers.yaml"));
        let mut kubectl = lab.test.cluster.kubectl().unwrap();
        // The gateway's namespace comes with the gateway, which this cluster does not have.
        kubectl
            .args(["create", "--dry-run=client", "--validate=strict", "-f"])
            .arg(file);
        let output = kubectl.output().unwrap();
        assert!(
            output.status.success(),
            "{environment}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    lab.clean().await;
}

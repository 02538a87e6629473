//! Objects that tests create, and conditions that they wait for.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use idp_api::CertificateBinding;
use idp_certificate_policy::certificate_request::types::CertificateRequest;
use idp_testkit::eventually_within;
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{LONG, Lab, dynamic};

impl Lab {
    /// Waits until `check` accepts a binding.
    pub(crate) async fn binding_becomes(
        &self,
        namespace: &str,
        name: &str,
        within: Duration,
        what: &str,
        check: impl Fn(&CertificateBinding) -> bool,
    ) -> CertificateBinding {
        eventually_within(within, what, || async {
            let binding = self.bindings(namespace).get(name).await?;
            ensure!(check(&binding), "{}", json!(binding.status));
            Ok(binding)
        })
        .await
    }

    pub(crate) async fn binding_gone(&self, namespace: &str, name: &str) {
        eventually_within(LONG, "the binding is deleted", || async {
            let found = self.bindings(namespace).get_opt(name).await?;
            ensure!(found.is_none(), "the binding still exists");
            Ok(())
        })
        .await;
    }

    /// Renews a Certificate in the gateway's namespace, as `cmctl renew` does.
    pub(crate) async fn renew(&self, name: &str) {
        let condition = json!({"status": {"conditions": [{
            "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "by hand",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]}});
        self.certificates(&self.gateway)
            .patch_status(name, &PatchParams::default(), &Patch::Merge(&condition))
            .await
            .unwrap();
    }

    /// Creates a Certificate as a user would, changed by `more`.
    pub(crate) async fn certificate(&self, name: &str, more: Value) -> DynamicObject {
        let mut spec = json!({
            "dnsNames": [self.host(name)],
            "secretName": format!("{name}-tls"),
            "issuerRef": {"name": self.issuer, "kind": "ClusterIssuer"},
            "usages": ["digital signature", "server auth"],
            "privateKey": {"algorithm": "ECDSA", "size": 256},
        });
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        let object = json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
            "metadata": {"name": name, "namespace": self.ns}, "spec": spec,
        });
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        self.certificates(&self.ns)
            .create(&PostParams::default(), &object)
            .await
            .unwrap()
    }

    /// Creates a CertificateRequest with this PEM text.
    pub(crate) async fn request(
        &self,
        name: &str,
        pem: &str,
        more: Value,
    ) -> Result<CertificateRequest, kube::Error> {
        let mut spec = json!({
            "request": STANDARD.encode(pem),
            "issuerRef": {"name": self.issuer, "kind": "ClusterIssuer", "group": "cert-manager.io"},
            "usages": ["digital signature", "server auth"],
        });
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        let request = json!({
            "apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest",
            "metadata": {"name": name, "namespace": self.ns}, "spec": spec,
        });
        let api: Api<DynamicObject> = dynamic(
            &self.client,
            idp_certificate_policy::kinds::CERTIFICATE_REQUEST,
            &self.ns,
        );
        api.create(&PostParams::default(), &serde_json::from_value(request).unwrap())
            .await?;
        self.requests(&self.ns).get(name).await
    }

    /// Waits until the request of this name, or of the Certificate of this name, is denied. Returns reason and message.
    pub(crate) async fn denied(&self, name: &str) -> (String, String) {
        let (reason, message) = self.decided(name, "Denied").await;
        (reason, message)
    }

    pub(crate) async fn approved(&self, name: &str) -> (String, String) {
        self.decided(name, "Approved").await
    }

    async fn decided(&self, name: &str, condition: &str) -> (String, String) {
        eventually_within(LONG, &format!("{name} is {condition}"), || async {
            let requests = self.requests(&self.ns).list(&Default::default()).await?;
            let found = requests
                .iter()
                .filter(|request| request.name_any() == name || owner(request) == Some(name.to_owned()))
                .filter_map(|request| request.status.as_ref())
                .flat_map(|status| &status.conditions)
                .find(|found| found.type_ == condition);
            let found = found.ok_or_else(|| anyhow!("{}", describe(&requests.items)))?;
            ensure!(found.status == "True");
            let text = |key: &str| found.rest[key].as_str().unwrap_or_default().to_owned();
            Ok((text("reason"), text("message")))
        })
        .await
    }

    /// Waits for the Secret's certificate, as PEM.
    pub(crate) async fn issued(&self, namespace: &str, secret: &str, within: Duration) -> String {
        eventually_within(within, &format!("secret {namespace}/{secret}"), || async {
            let secret = self.secrets(namespace).get(secret).await?;
            let data = secret.data.unwrap_or_default();
            let certificate = data
                .get("tls.crt")
                .map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned());
            certificate
                .filter(|text| !text.is_empty())
                .ok_or_else(|| anyhow!("the Secret has no certificate"))
        })
        .await
    }
}

fn owner(request: &CertificateRequest) -> Option<String> {
    request.owner_references().first().map(|owner| owner.name.clone())
}

fn describe(requests: &[CertificateRequest]) -> String {
    let all = requests.iter().map(|request| {
        format!(
            "{}: {}",
            request.name_any(),
            json!(request.status.as_ref().map(|status| &status.conditions))
        )
    });
    all.collect::<Vec<_>>().join("; ")
}

//! Certificates of applications on the real cert-manager: the cluster `certificates`.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use idp_api::{CertificateBinding, CertificatePolicy};
use idp_certificate_policy::secret;
use idp_core::Kind;
use idp_testkit::{eventually, eventually_within, stays};
use idp_tests::{Beside, Lab, is_ready, why};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

const GATEWAY: Kind = Kind::namespaced("networking.istio.io", "v1", "Gateway", "gateways");
/// Where the local Environment has its gateway.
const GATEWAYS: &str = "istio-system";

async fn lab(prefix: &str) -> Lab {
    let lab = Lab::new(prefix, Beside::CertificatePolicy).await;
    // With it, the API server would reject applications that wait.
    let kind = Kind::cluster(
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
    );
    let bindings: Api<DynamicObject> = Api::all_with(lab.client.clone(), &kind.api_resource());
    let _ = bindings
        .delete("idp-webapplication-hosts", &DeleteParams::default())
        .await;
    lab
}

/// A policy that allows the namespace these names from the local CA.
async fn policy(lab: &Lab, dns: Value) {
    let policy = json!({
        "apiVersion": "idp.dev/v1alpha1", "kind": "CertificatePolicy", "metadata": {"name": lab.ns},
        "spec": {
            "namespaces": [{"matchLabels": {"kubernetes.io/metadata.name": lab.ns}}],
            "names": {"dns": dns},
            "issuers": [{"name": "local-ca"}],
        },
    });
    let policies: Api<CertificatePolicy> = Api::all(lab.client.clone());
    let params = PatchParams::apply("test").force();
    policies
        .patch(&lab.ns, &params, &Patch::Apply(&policy))
        .await
        .unwrap();
}

async fn clean(lab: &Lab) {
    let policies: Api<CertificatePolicy> = Api::all(lab.client.clone());
    let _ = policies.delete(&lab.ns, &DeleteParams::default()).await;
    lab.test.delete_namespace(&lab.ns).await.unwrap();
}

/// The Secret that the application's Gateway uses for a host.
async fn shown(lab: &Lab, name: &str, host: &str) -> Result<String> {
    let gateway = lab.objects(GATEWAY).get(name).await?;
    let servers = gateway.data["spec"]["servers"].as_array().context("no servers")?;
    let server = servers
        .iter()
        .filter(|server| server["port"]["protocol"] == "HTTPS")
        .find(|server| server["hosts"] == json!([format!("./{host}")]));
    let secret = server.context("no server of the host")?["tls"]["credentialName"].as_str();
    Ok(secret.context("no secret")?.to_owned())
}

async fn has_certificate(lab: &Lab, secret: &str) -> Result<()> {
    let secrets: Api<Secret> = Api::namespaced(lab.client.clone(), GATEWAYS);
    let data = secrets.get(secret).await?.data.unwrap_or_default();
    ensure!(data.contains_key("tls.crt") && data.contains_key("tls.key"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_gets_its_own_certificate() {
    let lab = lab("tls").await;
    let short = format!("shop-{}", lab.ns);
    let host = format!("{short}.idp.localhost");
    lab.create(
        "shop",
        json!({"routes": [{"host": short}, {"host": short, "path": "/api"}]}),
    )
    .await;
    let app = lab.ready("shop").await;
    assert!(app.status.unwrap().problems.is_empty());
    assert_eq!(shown(&lab, "shop", &host).await.unwrap(), secret::name(&host));
    has_certificate(&lab, &secret::name(&host)).await.unwrap();
    lab.delete("shop").await;
    eventually("the binding is deleted with the application", || async {
        let left = lab.api::<CertificateBinding>().list(&Default::default()).await?;
        ensure!(left.items.is_empty());
        Ok(())
    })
    .await;
    clean(&lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wider_policy_lets_waiting_applications_proceed_and_a_narrower_one_breaks_nothing() {
    let lab = lab("wait").await;
    let host = format!("shop.{}.test", lab.ns);
    lab.create("shop", json!({"routes": [{"host": host}]})).await;
    let problem = lab.problem("shop", "NameNotAllowed").await;
    assert_eq!(problem.path.as_deref(), Some("spec.routes[0].host"));
    assert!(problem.message.contains(&host), "{problem}");
    assert!(problem.hint.is_some());

    policy(&lab, json!({"exact": [host]})).await;
    let began = Instant::now();
    eventually_within(
        Duration::from_secs(25),
        "the application becomes Ready",
        || async {
            let app = lab.get("shop").await;
            let status = app.status.clone().unwrap_or_default();
            ensure!(
                status.problems.iter().all(|problem| !problem.is_error()),
                "{}",
                why(&app)
            );
            Ok(())
        },
    )
    .await;
    eprintln!("proceeded {:?} after the policy was widened", began.elapsed());
    lab.ready("shop").await;
    has_certificate(&lab, &secret::name(&host)).await.unwrap();

    policy(&lab, json!({"exact": ["elsewhere.test"]})).await;
    let warning = lab.problem("shop", "NotAllowedAnyMore").await;
    assert!(!warning.is_error());
    stays(Duration::from_secs(3), "nothing breaks", || async {
        let app = lab.get("shop").await;
        ensure!(is_ready(&app), "{}", why(&app));
        has_certificate(&lab, &secret::name(&host)).await
    })
    .await;
    // It does not block a rollout either.
    lab.change("shop", json!({"image": "shop:2.0"})).await;
    lab.ready("shop").await;
    assert_eq!(lab.container("shop").await.image.as_deref(), Some("shop:2.0"));
    clean(&lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_of_two_applications_keeps_the_host() {
    let (first, second) = (lab("first").await, lab("second").await);
    let short = format!("shop-{}", first.ns);
    first.create("shop", json!({"routes": [{"host": short}]})).await;
    first.ready("shop").await;
    second.create("thief", json!({"routes": [{"host": short}]})).await;
    let problem = second.problem("thief", "HostTaken").await;
    assert!(
        problem.message.contains(&format!("{}/shop", first.ns)),
        "{problem}"
    );
    assert!(is_ready(&first.get("shop").await));
    first.delete("shop").await;
    second.ready("thief").await;
    clean(&first).await;
    clean(&second).await;
}

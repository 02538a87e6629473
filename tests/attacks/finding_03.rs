//! A CertificateBinding gets certificates only in the Environment's gateway namespace, and only for its own hosts.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use idp_api::{CertificateBinding, kinds::CERTIFICATE_BINDING};
use idp_certificate_policy::{
    kinds::{CERTIFICATE, CERTIFICATE_REQUEST, VIRTUAL_SERVICE},
    secret,
};
use idp_core::labels;
use idp_testkit::eventually;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, PostParams},
};
use serde_json::{Value, json};

use crate::Tenant;

/// The gateway's namespace and the issuer of the local Environment.
const GATEWAYS: &str = "istio-system";
const ISSUER: &str = "local-ca";
/// Names of Certificates, for attempts until the controller knows the change.
static TRIES: AtomicU32 = AtomicU32::new(0);

fn binding(name: &str, issuer: &str, namespace: &str, hosts: &[&str]) -> Value {
    let hosts: Vec<Value> = hosts
        .iter()
        .map(|host| json!({"host": host, "path": "x"}))
        .collect();
    json!({
        "metadata": {"name": name},
        "spec": {
            "application": name, "issuer": {"name": issuer, "kind": "ClusterIssuer"},
            "secretNamespace": namespace, "hosts": hosts,
        },
    })
}

fn certificate(name: &str, host: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "dnsNames": [host], "secretName": format!("{name}-tls"),
            "issuerRef": {"name": ISSUER, "kind": "ClusterIssuer"},
            "usages": ["digital signature", "server auth"], "privateKey": {"algorithm": "ECDSA", "size": 256},
        },
    })
}

/// Waits until a binding has a problem with this reason.
async fn refused(tenant: &Tenant, name: &str, reason: &str) -> idp_core::Problem {
    eventually(&format!("binding {name} has the problem {reason}"), || async {
        let binding = tenant.lab.api::<CertificateBinding>().get(name).await?;
        let problems = binding.status.context("no status")?.problems;
        let found = problems.iter().find(|problem| problem.reason == reason);
        found.cloned().with_context(|| format!("{problems:?}"))
    })
    .await
}

/// The decision on a Certificate's request, with its reason and message.
async fn decided(tenant: &Tenant, certificate: &str) -> [String; 3] {
    eventually(&format!("the request of {certificate} is decided"), || async {
        let requests = tenant
            .lab
            .objects(CERTIFICATE_REQUEST)
            .list(&Default::default())
            .await?;
        let own = |request: &&DynamicObject| {
            request
                .owner_references()
                .iter()
                .any(|owner| owner.name == certificate)
        };
        let request = requests.iter().find(own).context("there is none")?;
        let conditions = request.data["status"]["conditions"]
            .as_array()
            .context("no conditions")?;
        let mut decisions = conditions
            .iter()
            .filter(|condition| condition["type"] == "Denied" || condition["type"] == "Approved");
        let decision = decisions.next().with_context(|| format!("{conditions:?}"))?;
        anyhow::Ok(["type", "reason", "message"].map(|field| text(&decision[field])))
    })
    .await
}

/// The reason and message of a request that must be denied.
async fn denied(tenant: &Tenant, certificate: &str) -> (String, String) {
    let [decision, reason, message] = decided(tenant, certificate).await;
    assert_eq!(decision, "Denied", "{certificate}: {reason}: {message}");
    (reason, message)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Asserts that neither the attacker's namespace nor the platform's have a Certificate or a Secret for these hosts.
async fn nothing_of(attacker: &Tenant, hosts: &[&str]) -> Result<()> {
    for namespace in [attacker.namespace(), "kube-system", "idp-system"] {
        let lab = attacker.lab.within(namespace);
        for found in lab.objects(CERTIFICATE).list(&Default::default()).await? {
            let owner = found
                .annotations()
                .get(labels::OWNER)
                .cloned()
                .unwrap_or_default();
            ensure!(
                !owner.starts_with(attacker.namespace()),
                "{} is {owner}'s",
                found.name_any()
            );
        }
        for found in lab.api::<Secret>().list(&Default::default()).await? {
            let keys = found.data.unwrap_or_default();
            let named = found.metadata.annotations.unwrap_or_default();
            let alt = named
                .get("cert-manager.io/alt-names")
                .cloned()
                .unwrap_or_default();
            let of_a_host = hosts.iter().any(|host| alt.split(',').any(|name| name == *host));
            ensure!(
                !(of_a_host && keys.contains_key("tls.crt")),
                "the certificate of {alt} is in {namespace}"
            );
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_namespace_gets_a_certificate_for_the_host_of_another() {
    let (victim, attacker) = (Tenant::new("victim").await, Tenant::new("thief").await);
    let short = format!("held-{}", victim.namespace());
    let host = format!("{short}.idp.localhost");
    let free = format!("free-{}.idp.localhost", attacker.namespace());
    victim
        .create("victim", json!({"routes": [{"host": short}]}))
        .await
        .unwrap();
    victim.lab.ready("victim").await;

    // Tenants may not write bindings. A user who may gets no more than the Environment allows.
    let steal = binding("steal", ISSUER, attacker.namespace(), &[&host]);
    let answer = attacker.make(CERTIFICATE_BINDING, steal.clone()).await;
    assert!(
        matches!(&answer, Err(kube::Error::Api(status)) if status.code == 403),
        "{answer:?}"
    );
    attacker.granted(CERTIFICATE_BINDING, steal).await.unwrap();
    for (name, issuer, namespace, host, reason) in [
        (
            "flood",
            ISSUER,
            "kube-system",
            free.as_str(),
            "NotTheGatewaysNamespace",
        ),
        ("flood2", ISSUER, "idp-system", &free, "NotTheGatewaysNamespace"),
        (
            "signer",
            "local-root",
            GATEWAYS,
            &free,
            "NotTheEnvironmentsIssuer",
        ),
        ("taken", ISSUER, GATEWAYS, &host, "HostTaken"),
        ("wild", ISSUER, GATEWAYS, "*.idp.localhost", "HostNotAllowed"),
        ("bank", ISSUER, GATEWAYS, "www.bank.org", "HostNotAllowed"),
    ] {
        let object = binding(name, issuer, namespace, &[host]);
        attacker.granted(CERTIFICATE_BINDING, object).await.unwrap();
        let problem = refused(&attacker, name, reason).await;
        assert!(problem.hint.is_some(), "{problem}");
    }
    refused(&attacker, "steal", "NotTheGatewaysNamespace").await;
    let problem = refused(&attacker, "taken", "HostTaken").await;
    assert!(problem.message.contains(victim.namespace()), "{problem}");

    // Nor with a Certificate, with the permissions that cert-manager's chart grants editors.
    attacker
        .granted(CERTIFICATE, certificate("loot", &host))
        .await
        .unwrap();
    let (reason, message) = denied(&attacker, "loot").await;
    assert_eq!(reason, "HostTaken", "{message}");
    assert!(message.contains(victim.namespace()), "{message}");
    // A VirtualService at a gateway owns its host too, even without a certificate from this platform.
    let grafana = format!("grafana-{}.idp.localhost", attacker.namespace());
    let platform = attacker.lab.within(GATEWAYS);
    let routed: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": format!("grafana-{}", attacker.namespace())},
        "spec": {"gateways": ["istio-system/own"], "hosts": [grafana], "http": [{"route": [{"destination": {"host": "grafana"}}]}]},
    }))
    .unwrap();
    let services: Api<DynamicObject> = platform.objects(VIRTUAL_SERVICE);
    let routed = services.create(&PostParams::default(), &routed).await.unwrap();
    eventually("the VirtualService is known", || async {
        let name = format!("g{}", TRIES.fetch_add(1, Ordering::Relaxed));
        attacker
            .granted(CERTIFICATE, certificate(&name, &grafana))
            .await?;
        let [_, reason, message] = decided(&attacker, &name).await;
        ensure!(
            reason == "HostTaken" && message.contains("VirtualService istio-system/"),
            "{reason}: {message}"
        );
        anyhow::Ok(())
    })
    .await;

    idp_testkit::stays(
        std::time::Duration::from_secs(5),
        "no Certificate and no Secret is created",
        || async { nothing_of(&attacker, &[&host, &free]).await },
    )
    .await;
    let certificate = platform
        .objects(CERTIFICATE)
        .get(&secret::name(&host))
        .await
        .unwrap();
    assert_eq!(
        certificate.annotations().get(labels::OWNER),
        Some(&format!("{}/victim", victim.namespace()))
    );
    services
        .delete(&routed.name_any(), &DeleteParams::default())
        .await
        .unwrap();
    attacker.end().await;
    victim.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_ours_is_never_adopted() {
    let tenant = Tenant::new("adopt").await;
    let short = format!("made-{}", tenant.namespace());
    let host = format!("{short}.idp.localhost");
    let platform = tenant.lab.within(GATEWAYS);
    let mut by_hand = certificate("by-hand", "platform.invalid");
    by_hand["apiVersion"] = json!("cert-manager.io/v1");
    by_hand["kind"] = json!("Certificate");
    by_hand["metadata"]["name"] = json!(secret::name(&host));
    let by_hand: DynamicObject = serde_json::from_value(by_hand).unwrap();
    let certificates = platform.objects(CERTIFICATE);
    let made = certificates
        .create(&PostParams::default(), &by_hand)
        .await
        .unwrap();
    tenant
        .create("shop", json!({"routes": [{"host": short}]}))
        .await
        .unwrap();
    eventually("the binding reports a Certificate of another owner", || async {
        let binding = tenant.lab.api::<CertificateBinding>().get("shop").await?;
        let problems = binding.status.context("no status")?.problems;
        ensure!(problems.iter().any(idp_core::Problem::is_error), "{problems:?}");
        anyhow::Ok(())
    })
    .await;
    let now = certificates.get(&made.name_any()).await.unwrap();
    assert_eq!(now.metadata.uid, made.metadata.uid);
    assert_eq!(now.data["spec"], made.data["spec"]);
    assert!(now.labels().is_empty(), "{:?}", now.labels());
    certificates
        .delete(&made.name_any(), &DeleteParams::default())
        .await
        .unwrap();
    tenant.end().await;
}

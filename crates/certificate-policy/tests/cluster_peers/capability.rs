//! The capability over gRPC, as the WebApplication controller calls it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use futures::{StreamExt, pin_mut};
use idp_api::{CertificateBinding, CertificateBindingSpec};
use idp_certificate_policy::secret;
use idp_core::{
    Problem,
    capability::{SectionPlan, SectionRequest},
};
use idp_rpc::capability as rpc;
use idp_runtime::{Peer, grpc::Credentials};
use idp_testkit::{Controller, eventually_within};
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use crate::lab::{LOCAL_CA, LONG, Lab, SOON, is_ready};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};

/// A folder with certificates as cert-manager would issue them: one for the server, one for a client.
pub(crate) fn certificates() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{}", std::process::id()));
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).unwrap();
    let issuer = Issuer::from_params(&params, &key);
    for name in ["idp-certificate-policy", "idp-webapp", "idp-secrets-bridge"] {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(vec![name.to_owned(), format!("{name}.idp-system.svc")]).unwrap();
        let uri = format!("spiffe://idp.dev/ns/idp-system/sa/{name}");
        params
            .subject_alt_names
            .push(SanType::URI(uri.try_into().unwrap()));
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let folder = if name == "idp-certificate-policy" {
            folder.clone()
        } else {
            folder.join(name)
        };
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
        std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
        std::fs::write(folder.join("ca.crt"), ca.pem()).unwrap();
    }
    folder
}

/// A connection to the lab's controller, with the certificate of `name`.
fn peer(lab: &Lab, name: &str) -> Peer {
    peer_of(&lab.running().controller, &lab.running().tls.join(name))
}

/// A connection to a controller, with the certificate in `folder`.
pub(crate) fn peer_of(controller: &Controller, folder: &Path) -> Peer {
    let log = controller.log();
    let line = log.lines().find(|line| line.contains("Serving gRPC.")).unwrap();
    let port: String = line
        .rsplit("127.0.0.1:")
        .next()
        .unwrap()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let credentials = Credentials::load(folder).unwrap();
    let server = "idp-certificate-policy";
    Peer::new(server, &format!("127.0.0.1:{port}"), server, &credentials).unwrap()
}

fn request(lab: &Lab, namespace: &str, hosts: &[&str]) -> SectionRequest {
    let hosts = hosts.iter().enumerate();
    let hosts =
        hosts.map(|(index, host)| json!({"host": host, "path": format!("spec.routes[{index}].host")}));
    SectionRequest {
        namespace: namespace.to_owned(),
        application: "shop".to_owned(),
        environment: "test".to_owned(),
        environment_spec: json!({
            "baseDomain": "test",
            "gateway": {"namespace": lab.gateway},
            "certificates": {"issuer": LOCAL_CA, "kind": "ClusterIssuer"},
        }),
        section: json!({"hosts": hosts.collect::<Vec<_>>()}),
        path: "spec.routes".to_owned(),
    }
}

async fn plan(peer: &Peer, request: &SectionRequest) -> SectionPlan {
    peer.call(|channel| rpc::plan(channel, request)).await.unwrap()
}

fn reasons(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.reason.as_str()).collect()
}

#[tokio::test]
async fn a_plan_contains_binding_secrets_and_problems() {
    let lab = Lab::enter().await;
    let webapp = peer(&lab, "idp-webapp");
    let host = lab.host("shop");
    let wanted = request(&lab, &lab.ns, &[&host, &host]);
    let refused = plan(&webapp, &wanted).await;
    assert!(!refused.is_possible());
    lab.policy(json!({})).await;
    let planned = eventually_within(SOON, "the policy is known", || async {
        let planned = plan(&webapp, &wanted).await;
        anyhow::ensure!(planned.is_possible(), "{:?}", planned.problems);
        Ok(planned)
    })
    .await;
    assert_eq!(planned.problems, []);
    assert_eq!(planned.outputs, [(host.clone(), secret::name(&host))].into());
    let [binding] = &planned.bindings[..] else {
        panic!("{:?}", planned.bindings);
    };
    assert_eq!(
        (binding.kind.as_str(), binding.name.as_str()),
        ("CertificateBinding", "shop")
    );
    let spec: CertificateBindingSpec = serde_json::from_value(binding.spec.clone()).unwrap();
    assert_eq!(spec.hosts.len(), 1);
    // The binding gets what the plan promises.
    lab.bindings(&lab.ns)
        .create(&PostParams::default(), &CertificateBinding::new("shop", spec))
        .await
        .unwrap();
    lab.binding_becomes(&lab.ns, "shop", LONG, "the certificate is issued", is_ready)
        .await;

    let wildcard = format!("*.{}", lab.domain());
    let bad = plan(
        &webapp,
        &request(&lab, &lab.ns, &["evil.test", &lab.domain(), &wildcard, &host]),
    )
    .await;
    assert_eq!(reasons(&bad.problems), ["NameNotAllowed"; 3]);
    let paths: Vec<_> = bad
        .problems
        .iter()
        .filter_map(|problem| problem.path.as_deref())
        .collect();
    assert_eq!(
        paths,
        [
            "spec.routes[0].host",
            "spec.routes[1].host",
            "spec.routes[2].host"
        ]
    );
    assert!(bad.problems[0].message.contains(&lab.ns), "{}", bad.problems[0]);
    assert!(bad.problems[0].hint.is_some());
    // A host that another namespace uses.
    let other = plan(&webapp, &request(&lab, "default", &[&host])).await;
    assert_eq!(reasons(&other.problems), ["HostTaken"]);
    assert!(
        other.problems[0].message.contains(&format!("{}/shop", lab.ns)),
        "{}",
        other.problems[0]
    );
    // Without an issuer.
    let mut nobody = request(&lab, &lab.ns, &[&host]);
    nobody.environment_spec["certificates"] = json!(null);
    assert_eq!(reasons(&plan(&webapp, &nobody).await.problems), ["NoIssuer"]);
    // A narrower policy does not stop an application that has a certificate.
    lab.policy(json!({"names": {}})).await;
    eventually_within(SOON, "the plan has a warning only", || async {
        let planned = plan(&webapp, &request(&lab, &lab.ns, &[&host])).await;
        anyhow::ensure!(
            reasons(&planned.problems) == ["NotAllowedAnyMore"],
            "{:?}",
            planned.problems
        );
        anyhow::ensure!(planned.is_possible());
        Ok(())
    })
    .await;
    lab.clean().await;
}

#[tokio::test]
async fn watch_reports_what_became_stale() {
    let lab = Lab::enter().await;
    lab.policy(json!({})).await;
    let host = lab.host("shop");
    lab.bind(&lab.ns, "shop", &[&host]).await;
    lab.binding_becomes(&lab.ns, "shop", LONG, "the certificate is issued", is_ready)
        .await;
    let webapp = peer(&lab, "idp-webapp");
    let stale = webapp.open(rpc::watch).await.unwrap();
    pin_mut!(stale);
    // The stream also contains the namespaces of other tests.
    let mut everybody = async |why: &str| {
        let told = async { while !stale.next().await.unwrap().unwrap().is_empty() {} };
        tokio::time::timeout(SOON, told).await.expect(why);
    };
    lab.policy(json!({"lifetime": {"max": "24h"}})).await;
    everybody("a policy changed").await;
    lab.bindings(&lab.ns)
        .delete("shop", &DeleteParams::default())
        .await
        .unwrap();
    everybody("a host became free").await;
    lab.clean().await;
}

#[tokio::test]
async fn only_the_web_application_controller_may_call_for_plans() {
    let lab = Lab::enter().await;
    let stranger = peer(&lab, "idp-secrets-bridge");
    let wanted = request(&lab, &lab.ns, &["a.test"]);
    let refused = stranger
        .call(|channel| rpc::plan(channel, &wanted))
        .await
        .unwrap_err();
    assert!(refused.message().contains("may not call"), "{refused}");
    let described = tokio::time::timeout(Duration::from_secs(5), stranger.call(rpc::describe))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(described.name, "certificates");
    assert!(
        described.section_schema["properties"]["hosts"].is_object(),
        "{}",
        described.section_schema
    );
    lab.clean().await;
}

//! The admission policy for hosts, on a real API server.

use anyhow::ensure;
use idp_api::WebApplication;
use idp_cluster::{Manifest, apply_manifests};
use idp_core::Kind;
use idp_testkit::{eventually_within, root};
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::lab::{Lab, SOON};

/// Applies the repository's policy to this test's namespace only, with its own name.
async fn apply(lab: &Lab) {
    let text = std::fs::read_to_string(root().join("platform/admission/hosts.yaml")).unwrap();
    let text = text.replace("idp-webapplication-hosts", &name(lab)).replace(
        "  validationActions: [Deny]",
        &format!(
            "  validationActions: [Deny]\n  matchResources:\n    namespaceSelector:\n      matchLabels:\n        \
             kubernetes.io/metadata.name: {}",
            lab.ns
        ),
    );
    let source = "hosts.yaml".to_owned();
    apply_manifests(&lab.client, &[Manifest { source, text }])
        .await
        .unwrap();
}

fn name(lab: &Lab) -> String {
    format!("hosts-{}", lab.ns)
}

async fn remove(lab: &Lab) {
    for (kind, plural) in [
        (
            "ValidatingAdmissionPolicyBinding",
            "validatingadmissionpolicybindings",
        ),
        ("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
    ] {
        let kind = Kind::cluster("admissionregistration.k8s.io", "v1", kind, plural);
        let api: Api<DynamicObject> = Api::all_with(lab.client.clone(), &kind.api_resource());
        api.delete(&name(lab), &DeleteParams::default()).await.unwrap();
    }
}

fn app(lab: &Lab, routes: &Value) -> WebApplication {
    serde_json::from_value(json!({
        "apiVersion": "idp.dev/v1alpha1", "kind": "WebApplication",
        "metadata": {"name": "shop", "namespace": lab.ns},
        "spec": {"image": "shop:1.0", "routes": routes},
    }))
    .unwrap()
}

/// The API server's response to such an application, as a dry run.
async fn create(lab: &Lab, routes: Value) -> Result<(), String> {
    let apps: Api<WebApplication> = Api::namespaced(lab.client.clone(), &lab.ns);
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match apps.create(&params, &app(lab, &routes)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) => Err(status.message.clone()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn hosts_that_no_policy_allows_are_rejected_at_apply_time() {
    let lab = Lab::enter().await;
    let domain = lab.domain();
    // The cluster's Environment is `local`, so the policies for its issuer count.
    let policy = |names: Value| {
        lab.policy_named(
            "-admission",
            json!({"issuers": [{"name": "local-ca"}], "names": {"dns": names}}),
        )
    };
    policy(json!({
        "exact": ["only.net.test"], "suffixes": [domain], "patterns": ["api-*.net.test"],
    }))
    .await;
    apply(&lab).await;
    let evil = json!([{"host": "evil.net.test"}]);
    let refused = eventually_within(SOON, "the policy is in force", || async {
        let answer = create(&lab, evil.clone()).await;
        ensure!(answer.is_err(), "evil.net.test is accepted");
        let message = answer.unwrap_err();
        ensure!(
            message.contains("-admission"),
            "not the policy's message: {message}"
        );
        Ok(message)
    })
    .await;
    assert!(refused.contains("evil.net.test"), "{refused}");
    for allowed in [
        json!([{"host": format!("shop.{domain}")}]),
        json!([{"host": format!("a.b.{domain}")}, {"host": "only.net.test"}]),
        json!([{"host": "api-1.net.test"}]),
        // No certificate is ordered for these.
        json!([{"host": "evil.net.test", "tls": {"mode": "None"}}]),
        json!([{"host": "evil.net.test", "tls": {"mode": "Secret", "secretName": format!("{}.mine", lab.ns)}}]),
        json!([]),
    ] {
        assert_eq!(create(&lab, allowed.clone()).await, Ok(()), "{allowed}");
    }
    for host in [
        domain.clone(),
        format!("evil{domain}"),
        format!("xn--shp-ted.{domain}"),
        "api-.net.test".replace("-.", "."),
        "x.api-1.net.test".to_owned(),
        "x.only.net.test".to_owned(),
    ] {
        let answer = create(&lab, json!([{"host": host}])).await;
        assert!(answer.is_err(), "{host} is accepted");
    }
    // Hosts that the Environment does not allow are rejected with any gateway and certificate.
    for (route, why) in [
        (
            json!({"host": "www.bank.org", "tls": {"mode": "None"}}),
            "may not have host www.bank.org",
        ),
        (
            json!({"host": "10.0.0.1", "tls": {"mode": "None"}}),
            "may not have host",
        ),
        (
            json!({"host": "kubernetes.default.svc", "tls": {"mode": "None"}}),
            "may not have host",
        ),
        (
            json!({"host": "*.sub", "tls": {"mode": "None"}}),
            "may not have host",
        ),
        (
            json!({"host": "evil.net.test", "gateway": "istio-ingress/public"}),
            "may not have host",
        ),
        (
            json!({"host": "evil.net.test", "tls": {"mode": "Secret", "secretName": "mine"}}),
            "may not use Secret mine",
        ),
    ] {
        let answer = create(&lab, json!([route])).await;
        assert!(
            answer.as_ref().is_err_and(|answer| answer.contains(why)),
            "{route}: {answer:?}"
        );
    }
    // A name without dots is completed with the Environment's domain.
    let short = create(&lab, json!([{"host": "zzz-nobodys"}])).await;
    let may_be_allowed = lab
        .policies()
        .get_opt("local-applications")
        .await
        .unwrap()
        .is_some();
    assert_eq!(short.is_ok(), may_be_allowed, "{short:?}");

    // Hosts that an application already has are not checked again, so that a narrower policy does not stop its rollouts.
    let apps: Api<WebApplication> = Api::namespaced(lab.client.clone(), &lab.ns);
    let routes = json!([{"host": format!("shop.{domain}")}]);
    apps.create(&PostParams::default(), &app(&lab, &routes))
        .await
        .unwrap();
    policy(json!({"exact": ["only.net.test"]})).await;
    eventually_within(SOON, "the narrower policy is in force", || async {
        ensure!(create_other(&lab, &routes).await.is_err(), "not yet");
        Ok(())
    })
    .await;
    let image = json!({"spec": {"image": "shop:2.0"}});
    apps.patch("shop", &PatchParams::default(), &Patch::Merge(&image))
        .await
        .expect("a new image is accepted, because hosts stay the same");
    let routes = json!({"spec": {"routes": [{"host": format!("other.{domain}")}]}});
    apps.patch("shop", &PatchParams::default(), &Patch::Merge(&routes))
        .await
        .expect_err("a new host is rejected");
    remove(&lab).await;
    lab.clean().await;
}

async fn create_other(lab: &Lab, routes: &Value) -> Result<(), kube::Error> {
    let apps: Api<WebApplication> = Api::namespaced(lab.client.clone(), &lab.ns);
    let mut other = app(lab, routes);
    other.metadata.name = Some("other".to_owned());
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    apps.create(&params, &other).await.map(|_| ())
}

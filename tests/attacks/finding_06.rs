//! spec.capabilities cannot reach the platform's own capabilities.

use idp_api::{CertificateBinding, ClaimBinding, kinds::CERTIFICATE_BINDING};
use idp_core::Kind;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::Tenant;

const APPLICATION: Kind = Kind::namespaced("idp.dev", "v1alpha1", "WebApplication", "webapplications");

/// The spec of the finding, and variations of it.
fn sections() -> Vec<Value> {
    vec![
        json!({"certificates": {"hosts": [{"host": "login.idp.localhost", "path": "x"}]}}),
        json!({"claims": {
            "databases": [{"name": "y/../../../../sec-11/claimbindings/z", "engine": "postgres"}],
            "storage": {"volumes": [{"name": "big", "mountPath": "/etc/../root", "size": "900Ei"}]},
        }}),
        json!({"claims": {"databases": [{"name": "x?dryRun=All&a=", "engine": "postgres"}]}}),
        json!({"secrets": {}}),
        json!({"secrets": {"0": {"name": "loot", "generate": {}}}}),
        json!({"mail": {}, "certificates": {}}),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_own_capabilities_have_no_back_door() {
    let tenant = Tenant::new("quiet").await;
    tenant.create("plain", json!({})).await.unwrap();
    for section in sections() {
        let created = tenant.create("quiet", json!({"capabilities": section})).await;
        let refused = |answer: Result<(), kube::Error>| {
            let error = answer.expect_err(&format!("{section}")).to_string();
            assert!(
                error.contains("secrets, claims and certificates are built in"),
                "{error}"
            );
        };
        refused(created);
        // A change of an existing application is rejected too.
        let patch = json!({"spec": {"capabilities": section}});
        let changed = tenant
            .objects(APPLICATION)
            .patch("plain", &PatchParams::default(), &Patch::Merge(&patch))
            .await;
        refused(changed.map(|_: DynamicObject| ()));
    }
    tenant.lab.ready("plain").await;
    let bindings = tenant
        .lab
        .objects(CERTIFICATE_BINDING)
        .list(&ListParams::default())
        .await
        .unwrap();
    assert!(bindings.items.is_empty());
    assert!(
        tenant
            .lab
            .api::<ClaimBinding>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(
        tenant
            .lab
            .api::<CertificateBinding>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    tenant.end().await;
}

//! Permissions that the roles in `platform/access` grant, and permissions that they do not.

use idp_core::Kind;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::{Api, api::PostParams};
use serde_json::json;

use crate::Tenant;

/// Whether the tenant may do this, according to the API server.
async fn may(tenant: &Tenant, verb: &str, group: &str, resource: &str, namespace: &str) -> bool {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb: Some(verb.to_owned()),
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                namespace: Some(namespace.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(tenant.client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
    answer.status.is_some_and(|status| status.allowed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_writes_applications_and_reads_their_objects() {
    let tenant = Tenant::new("roles").await;
    let own = tenant.namespace().to_owned();
    for verb in ["create", "update", "patch", "delete", "get", "list", "watch"] {
        assert!(
            may(&tenant, verb, "idp.dev", "webapplications", &own).await,
            "{verb}"
        );
        let elsewhere = may(&tenant, verb, "idp.dev", "webapplications", "kube-system").await;
        assert!(!elsewhere, "{verb} in another namespace");
    }
    let read = [
        ("idp.dev", "secretbindings"),
        ("idp.dev", "certificatebindings"),
        ("idp.dev", "claimbindings"),
        ("idp.dev", "capabilitybindings"),
        ("external-secrets.io", "externalsecrets"),
        ("cert-manager.io", "certificates"),
        ("platform.idp.dev", "postgresinstances"),
        ("networking.istio.io", "virtualservices"),
    ];
    for (group, resource) in read {
        assert!(may(&tenant, "list", group, resource, &own).await, "{resource}");
        for verb in ["create", "update", "patch", "delete"] {
            // A tenant requests deletion of data with an annotation; admission denies every other change of a claim.
            let marks_data = (group, verb) == ("platform.idp.dev", "patch");
            assert_eq!(
                may(&tenant, verb, group, resource, &own).await,
                marks_data,
                "{verb} {resource}"
            );
        }
    }
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_cannot_change_the_platform() {
    let tenant = Tenant::new("roles-none").await;
    let own = tenant.namespace().to_owned();
    let never = [
        ("idp.dev", "environments", ""),
        ("idp.dev", "claimclasses", ""),
        ("idp.dev", "certificatepolicies", ""),
        ("idp.dev", "allowedhosts", ""),
        ("", "namespaces", ""),
        ("", "nodes", ""),
        ("rbac.authorization.k8s.io", "rolebindings", own.as_str()),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies", ""),
        ("idp.dev", "webapplications/status", own.as_str()),
        ("external-secrets.io", "secretstores", own.as_str()),
        ("external-secrets.io", "pushsecrets", own.as_str()),
        ("generators.external-secrets.io", "passwords", own.as_str()),
        ("cert-manager.io", "issuers", own.as_str()),
        ("", "secrets", "idp-system"),
    ];
    for (group, resource, namespace) in never {
        for verb in ["create", "update", "patch", "delete"] {
            assert!(
                !may(&tenant, verb, group, resource, namespace).await,
                "{verb} {resource} in {namespace:?}"
            );
        }
    }
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_creates_applications_but_no_binding() {
    const BINDING: Kind = Kind::namespaced("idp.dev", "v1alpha1", "CapabilityBinding", "capabilitybindings");
    let tenant = Tenant::new("roles-write").await;
    tenant.create("mine", json!({})).await.unwrap();
    tenant.lab.ready("mine").await;
    let binding = json!({
        "metadata": { "name": "forged" },
        "spec": { "application": "mine", "capability": "any", "section": {} },
    });
    let refused = tenant.make(BINDING, binding.clone()).await.unwrap_err();
    assert!(
        matches!(&refused, kube::Error::Api(status) if status.code == 403),
        "{refused}"
    );
    // Only the permission is missing: the object itself is valid.
    tenant.granted(BINDING, binding).await.unwrap();
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_pod_cannot_preempt_others() {
    const POD: Kind = Kind::namespaced("", "v1", "Pod", "pods");
    let tenant = Tenant::new("roles-pods").await;
    let pod = |name: &str, class: Option<&str>| {
        let mut pod = json!({
            "metadata": { "name": name },
            "spec": {
                "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
                "containers": [{
                    "name": "web", "image": "a:1",
                    "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
                }],
            },
        });
        if let Some(class) = class {
            pod["spec"]["priorityClassName"] = class.into();
        }
        pod
    };
    for class in ["system-node-critical", "system-cluster-critical"] {
        let refused = tenant.make(POD, pod("critical", Some(class))).await.unwrap_err();
        assert!(
            refused.to_string().contains("is reserved for Kubernetes itself"),
            "{refused}"
        );
    }
    tenant.make(POD, pod("ordinary", None)).await.unwrap();
    tenant.end().await;
}

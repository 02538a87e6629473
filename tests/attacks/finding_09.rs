//! External Secrets reads and writes only secrets of the tenant.
//!
//! Found: a tenant's ExternalSecret read another namespace's key; a Secret that a user had created was overwritten with a
//! random value, and deleted with the application.

use std::time::Duration;

use idp_core::Kind;
use idp_testkit::{eventually, stays};
use idp_tests::EXTERNAL_SECRET;
use k8s_openapi::api::{
    core::v1::Secret,
    rbac::v1::{Role, RoleBinding},
};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use crate::{Tenant, template_door::PASSWORD};

const STORE: Kind = Kind::namespaced("external-secrets.io", "v1", "SecretStore", "secretstores");
const PUSH: Kind = Kind::namespaced("external-secrets.io", "v1alpha1", "PushSecret", "pushsecrets");
const WEBHOOK: Kind = Kind::namespaced(
    "generators.external-secrets.io",
    "v1alpha1",
    "Webhook",
    "webhooks",
);
const BINDING: Kind = Kind::namespaced("idp.dev", "v1alpha1", "SecretBinding", "secretbindings");

/// Grants the tenant the permissions that External Secrets' chart grants by default (`aggregateToEdit`).
async fn grant_external_secrets(tenant: &Tenant) {
    let role = json!({
        "metadata": { "name": "external-secrets-edit" },
        "rules": [{ "apiGroups": ["external-secrets.io", "generators.external-secrets.io"],
                    "resources": ["*"], "verbs": ["*"] }],
    });
    let role: Role = serde_json::from_value(role).unwrap();
    tenant
        .lab
        .api::<Role>()
        .create(&PostParams::default(), &role)
        .await
        .unwrap();
    let binding = json!({
        "metadata": { "name": "external-secrets-edit" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "external-secrets-edit" },
        "subjects": [{ "kind": "ServiceAccount", "name": format!("tenant-{}", tenant.namespace()),
                       "namespace": tenant.namespace() }],
    });
    let binding: RoleBinding = serde_json::from_value(binding).unwrap();
    tenant
        .lab
        .api::<RoleBinding>()
        .create(&PostParams::default(), &binding)
        .await
        .unwrap();
    eventually("the tenant may write ExternalSecrets", || async {
        let listed = tenant.objects(EXTERNAL_SECRET).list(&Default::default()).await;
        listed.map(|_| ()).map_err(|error| error.to_string())
    })
    .await;
}

fn external_secret(name: &str, fields: Value) -> Value {
    let mut spec = json!({
        "refreshInterval": "1h",
        "secretStoreRef": { "name": "localstack", "kind": "ClusterSecretStore" },
        "target": { "name": name },
    });
    spec.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    json!({ "metadata": { "name": name }, "spec": spec })
}

#[tokio::test(flavor = "multi_thread")]
async fn own_external_secrets_have_no_more_access_than_the_bridge() {
    let tenant = Tenant::new("f09-direct").await;
    grant_external_secrets(&tenant).await;
    let own = |key: &str| json!([{ "extract": { "key": format!("{}/shop/{key}", tenant.namespace()) } }]);
    let generator = |kind: &str| json!([{ "sourceRef": { "generatorRef": { "apiVersion": PASSWORD.api_version(), "kind": kind, "name": "x" } } }]);
    for (name, fields, says) in [
        (
            "theft",
            json!({ "dataFrom": [{ "extract": { "key": "sample/sample-web-app/mail" } }] }),
            "keys of this namespace begin with",
        ),
        (
            "one",
            json!({ "data": [{ "secretKey": "a", "remoteRef": { "key": "sample/sample-web-app/mail" } }] }),
            "keys of this namespace",
        ),
        (
            "dots",
            json!({ "dataFrom": own("../../sample/sample-web-app/mail") }),
            "keys of this namespace",
        ),
        (
            "find",
            json!({ "dataFrom": [{ "find": { "name": { "regexp": ".*" } } }] }),
            "find",
        ),
        (
            "tags",
            json!({ "dataFrom": [{ "find": { "tags": { "a": "b" } } }] }),
            "find",
        ),
        (
            "rewrite",
            json!({ "dataFrom": [{ "extract": { "key": format!("{}/shop/db", tenant.namespace()) },
            "rewrite": [{ "transform": { "template": "{{ env }}" } }] }] }),
            "rewrite",
        ),
        (
            "store",
            json!({ "secretStoreRef": { "name": "mine", "kind": "SecretStore" }, "dataFrom": own("db") }),
            "the Environment's store",
        ),
        (
            "inner-store",
            json!({ "data": [{ "secretKey": "a", "remoteRef": { "key": format!("{}/shop/db", tenant.namespace()) },
            "sourceRef": { "storeRef": { "name": "other", "kind": "ClusterSecretStore" } } }] }),
            "the Environment's store",
        ),
        (
            "webhook",
            json!({ "dataFrom": generator("Webhook") }),
            "Password and UUID",
        ),
        (
            "cluster",
            json!({ "dataFrom": generator("ClusterGenerator") }),
            "Password and UUID",
        ),
        (
            "template",
            json!({ "dataFrom": own("db"), "target": { "template": { "data": { "A": "{{ until 2000000000 | len }}" } } } }),
            "the template of A",
        ),
        (
            "label",
            json!({ "dataFrom": own("db"), "target": { "template": { "metadata": { "labels": { "a": "{{ now }}" } } } } }),
            "the template of a",
        ),
        (
            "from",
            json!({ "dataFrom": own("db"), "target": { "template": { "templateFrom": [{ "literal": "a: {{ now }}" }] } } }),
            "templateFrom",
        ),
        (
            "often",
            json!({ "dataFrom": own("db"), "refreshInterval": "0.001s" }),
            "leastInterval",
        ),
        // External Secrets could not parse it, and it lists all objects at once.
        (
            "unreadable",
            json!({ "dataFrom": own("db"), "refreshInterval": "soon" }),
            "refreshInterval",
        ),
        (
            "overflow",
            json!({ "dataFrom": own("db"), "refreshInterval": "99999999h" }),
            "refreshInterval",
        ),
    ] {
        let refusal = tenant.make(EXTERNAL_SECRET, external_secret(name, fields)).await;
        let refusal = refusal.expect_err(name).to_string();
        assert!(
            refusal.contains("idp-external-secrets") && refusal.contains(says),
            "{name}: {refusal}"
        );
    }
    for (kind, spec) in [
        (
            STORE,
            json!({ "provider": { "webhook": { "url": "http://169.254.169.254/", "result": {} } } }),
        ),
        (WEBHOOK, json!({ "url": "http://169.254.169.254/", "result": {} })),
        (
            PUSH,
            json!({ "secretStoreRefs": [{ "name": "localstack", "kind": "ClusterSecretStore" }],
                       "selector": { "secret": { "name": "x" } },
                       "data": [{ "match": { "secretKey": "a", "remoteRef": { "remoteKey": "sample/sample-web-app/mail" } } }] }),
        ),
        (
            PASSWORD,
            json!({ "length": 2_000_000_000, "noUpper": false, "allowRepeat": true }),
        ),
    ] {
        let refusal = tenant
            .make(kind, json!({ "metadata": { "name": "mine" }, "spec": spec }))
            .await;
        let refusal = refusal.expect_err(kind.kind).to_string();
        assert!(
            refusal.contains("idp-external-secrets-"),
            "{}: {refusal}",
            kind.kind
        );
    }
    // The tenant's own secret works, with its template.
    tenant
        .lab
        .put("shop", "db", &json!({ "user": "a b", "password": "p" }))
        .await;
    let template = json!({ "data": { "URL": "x://{{ .user | urlquery }}:{{ .password }}@{{ index . \"user\" | quote }}" } });
    let fields = json!({ "dataFrom": own("db"), "target": { "name": "own", "template": template } });
    tenant
        .make(EXTERNAL_SECRET, external_secret("own", fields))
        .await
        .unwrap();
    eventually("the tenant's own secret works", || async {
        let held = tenant.lab.secret("own").await.ok_or("there is none")?;
        (held["URL"] == "x://a+b:p@\"a b\"")
            .then_some(())
            .ok_or("it holds something else")
    })
    .await;
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_not_read_more_often_than_the_environment_allows() {
    let tenant = Tenant::new("f09-often").await;
    let refused = tenant
        .create(
            "shop",
            json!({ "secrets": [{ "name": "db", "refreshInterval": "0.001s" }] }),
        )
        .await;
    assert!(refused.unwrap_err().to_string().contains("refreshInterval"));
    for (name, interval, reason) in [
        ("below", "500ms", "LimitExceeded"),
        ("part", "0.5s", "InvalidSpec"),
        ("overflow", "99999999h", "InvalidSpec"),
        ("word", "soon", "InvalidSpec"),
    ] {
        let secret = json!({ "name": "db", "path": "spec.secrets[0]", "target": "db", "refreshInterval": interval,
                             "remoteKey": tenant.lab.key(name, "db") });
        let store = json!({ "name": "localstack", "kind": "ClusterSecretStore" });
        let spec = json!({ "application": name, "store": store, "secrets": [secret] });
        tenant
            .granted(BINDING, json!({ "metadata": { "name": name }, "spec": spec }))
            .await
            .unwrap();
        eventually(&format!("{name} is rejected"), || async {
            let binding = tenant
                .lab
                .bindings()
                .get(name)
                .await
                .map_err(|error| error.to_string())?;
            let problems = binding.status.unwrap_or_default().problems;
            let found = problems.iter().any(|problem| problem.reason == reason);
            found.then_some(()).ok_or(format!("{problems:?}"))
        })
        .await;
    }
    assert_eq!(tenant.lab.external_secrets().await, Vec::<String>::new());
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_secret_outlives_an_application_that_names_it() {
    let tenant = Tenant::new("f09-taken").await;
    let secrets: Api<Secret> = Api::namespaced(tenant.client.clone(), tenant.namespace());
    let precious = json!({ "metadata": { "name": "shop-secret-db", "labels": { "team": "a" } },
                           "stringData": { "password": "precious" } });
    let precious: Secret = serde_json::from_value(precious).unwrap();
    let made = secrets.create(&PostParams::default(), &precious).await.unwrap();
    let spec = json!({ "secrets": [{ "name": "db", "generate": {} }] });
    tenant.create("shop", spec.clone()).await.unwrap();
    let problem = tenant.lab.problem("shop", "NameTaken").await;
    assert_eq!(problem.path.as_deref(), Some("spec.secrets[0].name"), "{problem}");
    assert!(problem.message.contains("shop-secret-db"), "{problem}");
    let untouched = || async {
        let now = secrets
            .get("shop-secret-db")
            .await
            .map_err(|error| error.to_string())?;
        let same = now.data == made.data
            && now.metadata.uid == made.metadata.uid
            && now.metadata.owner_references.is_none()
            && now.metadata.deletion_timestamp.is_none();
        same.then_some(()).ok_or(format!("{:?}", now.metadata))
    };
    stays(Duration::from_secs(5), "the Secret does not change", untouched).await;
    tenant.lab.delete("shop").await;
    eventually("the application's ExternalSecret is deleted", || async {
        let left = tenant.lab.external_secrets().await;
        left.is_empty().then_some(()).ok_or(format!("{left:?}"))
    })
    .await;
    stays(
        Duration::from_secs(5),
        "the Secret outlives the application",
        untouched,
    )
    .await;

    // The hint works: External Secrets keeps managing Secrets that it owns.
    tenant.create("shop", spec).await.unwrap();
    tenant.lab.problem("shop", "NameTaken").await;
    secrets
        .delete("shop-secret-db", &DeleteParams::default())
        .await
        .unwrap();
    tenant.lab.ready("shop").await;
    assert_ne!(
        tenant.lab.secret("shop-secret-db").await.unwrap()["password"],
        "precious"
    );
    tenant.end().await;
}

/// A client with the identity of an operator with all permissions: only the policy restricts it.
#[tokio::test(flavor = "multi_thread")]
async fn no_operator_writes_or_deletes_secrets_of_others() {
    let tenant = Tenant::new("f09-peers").await;
    let precious = json!({ "metadata": { "name": "mine" }, "stringData": { "password": "precious" } });
    let precious: Secret = serde_json::from_value(precious).unwrap();
    let secrets = tenant.lab.api::<Secret>();
    secrets.create(&PostParams::default(), &precious).await.unwrap();
    let file = tenant.lab.test.cluster.kubeconfig_file().unwrap();
    for (account, own) in [
        (
            "external-secrets:external-secrets",
            json!({ "annotations": { "reconcile.external-secrets.io/data-hash": "x" } }),
        ),
        (
            "cert-manager:cert-manager",
            json!({ "annotations": { "cert-manager.io/certificate-name": "x" } }),
        ),
        (
            "crossplane-system:crossplane",
            json!({ "labels": { "crossplane.io/composite": "x" } }),
        ),
    ] {
        let mut config = Config::from_custom_kubeconfig(
            Kubeconfig::read_from(&file).unwrap(),
            &KubeConfigOptions::default(),
        )
        .await
        .unwrap();
        config.auth_info.impersonate = Some(format!("system:serviceaccount:{account}"));
        let as_peer: Api<Secret> = Api::namespaced(Client::try_from(config).unwrap(), tenant.namespace());
        let data = Patch::Merge(json!({ "stringData": { "password": "theirs" } }));
        let owner = Patch::Merge(json!({ "metadata": { "ownerReferences": [{
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "x", "uid": "x" }] } }));
        let both = Patch::Merge(
            json!({ "metadata": { "labels": { "reconcile.external-secrets.io/managed": "true" } },
                                        "stringData": { "password": "theirs" } }),
        );
        for patch in [&data, &owner, &both] {
            let refusal = as_peer.patch("mine", &PatchParams::default(), patch).await;
            let refusal = refusal.expect_err(account).to_string();
            assert!(refusal.contains("idp-secrets-of-others"), "{account}: {refusal}");
        }
        let refusal = as_peer.delete("mine", &DeleteParams::default()).await;
        assert!(
            refusal.unwrap_err().to_string().contains("idp-secrets-of-others"),
            "{account}"
        );
        // It may write its own.
        let name = account.split(':').next().unwrap();
        let mut metadata = own;
        metadata["name"] = name.into();
        let own: Secret = serde_json::from_value(json!({ "metadata": metadata })).unwrap();
        as_peer.create(&PostParams::default(), &own).await.unwrap();
        as_peer.patch(name, &PatchParams::default(), &data).await.unwrap();
        as_peer.delete(name, &DeleteParams::default()).await.unwrap();
    }
    assert_eq!(tenant.lab.secret("mine").await.unwrap()["password"], "precious");
    tenant.end().await;
}

//! A template of a secret reads nothing but the secret itself.
//!
//! Found: an application whose template called `getSecretKey` was Ready, and its Secret contained another
//! namespace's password.

use std::{collections::BTreeSet, process::Command, time::Duration};

use idp_core::{Kind, capability::SectionRequest};
use idp_secrets_bridge::TEMPLATE_FUNCTIONS as FUNCTIONS;
use idp_testkit::{eventually, stays};
use idp_tests::EXTERNAL_SECRET;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, PostParams},
};
use serde_json::{Value, json};

use crate::Tenant;

pub(crate) const PASSWORD: Kind = Kind::namespaced(
    "generators.external-secrets.io",
    "v1alpha1",
    "Password",
    "passwords",
);
const SECRET_BINDING: Kind = Kind::namespaced("idp.dev", "v1alpha1", "SecretBinding", "secretbindings");

/// Built-in functions and keywords of Go's templates.
const GO: [&str; 31] = [
    "and", "break", "call", "continue", "define", "block", "else", "end", "eq", "ge", "gt", "html", "if",
    "index", "js", "le", "len", "lt", "ne", "nil", "not", "or", "print", "printf", "println", "range",
    "slice", "template", "true", "urlquery", "with",
];

/// The functions of the operator's templates, and those that our build of it removes.
fn functions(tenant: &Tenant) -> (BTreeSet<String>, BTreeSet<String>) {
    let program = tenant.lab.test.cluster.program("external-secrets").unwrap();
    let answer = Command::new(program).arg("template-functions").output().unwrap();
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    let names = |field: &str| {
        let names = answer[field].as_array().unwrap().iter();
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    (names("registered"), names("removed"))
}

/// The problems of an application's plan with this template.
fn planned(template: &str) -> Vec<(String, Option<String>)> {
    let request = SectionRequest {
        namespace: "team-a".into(),
        application: "shop".into(),
        environment: "local".into(),
        environment_spec: json!({
            "baseDomain": "example.com", "sizes": {"small": {"cpu": "1", "memory": "1"}}, "defaultSize": "small",
            "secrets": {"store": "aws"},
        }),
        section: json!([{ "name": "db", "template": { "A": template } }]),
        path: "spec.secrets".into(),
    };
    let problems = idp_secrets_bridge::section::plan(&request).problems.into_iter();
    problems.map(|problem| (problem.reason, problem.path)).collect()
}

/// An ExternalSecret of a random value, with this template.
fn external_secret(name: &str, template: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "spec": {
            "target": { "name": name, "template": { "data": { "A": template } } },
            "dataFrom": [{ "sourceRef": { "generatorRef": {
                "apiVersion": PASSWORD.api_version(), "kind": PASSWORD.kind, "name": name,
            } } }],
        },
    })
}

fn object(kind: Kind, mut object: Value) -> DynamicObject {
    object["apiVersion"] = kind.api_version().into();
    object["kind"] = kind.kind.into();
    serde_json::from_value(object).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_allowed_functions_of_the_operator_are_accepted() {
    let tenant = Tenant::new("door-all").await;
    let (registered, removed) = functions(&tenant);
    assert!(
        registered.len() > 150 && registered.contains("getSecretKey"),
        "{registered:?}"
    );
    assert!(removed.contains("getSecretKey"));
    for name in FUNCTIONS {
        assert!(
            registered.contains(name) || GO.contains(&name),
            "{name} does not exist"
        );
    }
    let names: BTreeSet<_> = registered.iter().map(String::as_str).chain(GO).collect();
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    // With an administrator's permissions, to whom the policy applies too.
    let objects = tenant.lab.objects(EXTERNAL_SECRET);
    for name in names {
        let forms = match name {
            "index" => vec!["{{ index . \"a\" }}".to_owned()],
            _ => vec![
                format!("{{{{ .a | {name} }}}}"),
                format!("{{{{ {name} \"a\" \"b\" \"c\" }}}}"),
            ],
        };
        for template in forms {
            let allowed = FUNCTIONS.contains(&name);
            let problems = planned(&template);
            let made = objects
                .create(&dry, &object(EXTERNAL_SECRET, external_secret("x", &template)))
                .await;
            if allowed {
                assert_eq!(problems, [], "{template}");
                made.unwrap_or_else(|error| panic!("{template}: {error}"));
            } else {
                let path = Some("spec.secrets[0].template.A".to_owned());
                assert_eq!(
                    problems,
                    [("TemplateFunctionNotAllowed".to_owned(), path)],
                    "{template}"
                );
                let refusal = made.expect_err(&template).to_string();
                assert!(refusal.contains("the template of A"), "{template}: {refusal}");
            }
        }
    }
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_reads_no_secret_of_another_namespace() {
    let tenant = Tenant::new("door").await;
    let victim = Tenant::new("door-victim").await;
    let password = json!({ "metadata": { "name": "db" }, "stringData": { "password": "theirs" } });
    let password: Secret = serde_json::from_value(password).unwrap();
    victim
        .lab
        .api::<Secret>()
        .create(&PostParams::default(), &password)
        .await
        .unwrap();
    let template = format!(
        r#"{{{{ getSecretKey "db" "{}" "password" }}}}"#,
        victim.namespace()
    );

    // As an application, the only kind that a tenant may write.
    let secrets = json!([{ "name": "loot", "generate": {}, "template": { "STOLEN": template } }]);
    tenant
        .create("thief", json!({ "secrets": secrets }))
        .await
        .unwrap();
    let problem = tenant.lab.problem("thief", "TemplateFunctionNotAllowed").await;
    assert_eq!(problem.path.as_deref(), Some("spec.secrets[0].template.STOLEN"));
    assert!(problem.message.contains("\"getSecretKey\""), "{problem}");
    assert!(problem.hint.unwrap_or_default().contains("urlquery"));

    // As a binding, by a user who may write one.
    let binding = json!({
        "metadata": { "name": "mine" },
        "spec": {
            "application": "mine",
            "store": { "name": "localstack", "kind": "ClusterSecretStore" },
            "secrets": [{ "name": "loot", "path": "spec.secrets[0]", "target": "loot", "generate": {},
                          "refreshInterval": "1h", "template": { "STOLEN": template } }],
        },
    });
    tenant.granted(SECRET_BINDING, binding).await.unwrap();
    eventually("the binding is rejected", || async {
        let binding = tenant
            .lab
            .bindings()
            .get("mine")
            .await
            .map_err(|error| error.to_string())?;
        let problems = binding.status.unwrap_or_default().problems;
        let refused = problems
            .iter()
            .any(|problem| problem.reason == "TemplateFunctionNotAllowed");
        refused.then_some(()).ok_or(format!("{problems:?}"))
    })
    .await;
    stays(Duration::from_secs(3), "no objects are created", || async {
        let made = tenant.lab.external_secrets().await;
        made.is_empty().then_some(()).ok_or(format!("{made:?}"))
    })
    .await;
    victim.end().await;
    tenant.end().await;
}

/// In a namespace of the platform, to which no policy applies.
#[tokio::test(flavor = "multi_thread")]
async fn the_operator_itself_lacks_the_dangerous_functions() {
    let tenant = Tenant::new("door-peer").await;
    let platform = "external-secrets";
    let namespaces: Api<Namespace> = Api::all(tenant.lab.client.clone());
    assert!(namespaces.get_opt(platform).await.unwrap().is_some());
    let name = format!("{}-peer", tenant.namespace());
    let lab = tenant.lab.within(platform);
    let generator = json!({ "metadata": { "name": name },
                            "spec": { "length": 16, "noUpper": false, "allowRepeat": true } });
    let template = format!(r#"{{{{ getSecretKey "localstack-credentials" "{platform}" "access-key-id" }}}}"#);
    for (kind, json) in [
        (PASSWORD, generator),
        (EXTERNAL_SECRET, external_secret(&name, &template)),
    ] {
        lab.objects(kind)
            .create(&PostParams::default(), &object(kind, json))
            .await
            .unwrap();
    }
    eventually("the operator reports an unknown function", || async {
        let events: Api<k8s_openapi::api::core::v1::Event> = lab.api();
        let events = events
            .list(&Default::default())
            .await
            .map_err(|error| error.to_string())?;
        let told = events.items.iter().any(|event| {
            let message = event.message.as_deref().unwrap_or_default();
            event.involved_object.name.as_ref() == Some(&name)
                && message.contains("\"getSecretKey\" not defined")
        });
        told.then_some(())
            .ok_or_else(|| "no event says so yet".to_owned())
    })
    .await;
    assert_eq!(lab.secret(&name).await, None);
    for kind in [EXTERNAL_SECRET, PASSWORD] {
        lab.objects(kind)
            .delete(&name, &DeleteParams::default())
            .await
            .unwrap();
    }
    tenant.end().await;
}

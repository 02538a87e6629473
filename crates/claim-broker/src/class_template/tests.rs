use std::collections::BTreeMap;

use idp_api::{ClaimBindingSpec, ClaimClassSpec, claim_class::ClaimType};
use idp_core::capability::{EgressPeer, ValueFrom};
use serde_json::{Value, json};

use super::*;

fn class() -> ClaimClassSpec {
    serde_json::from_value(json!({
        "engine": "postgres",
        "resource": { "type": "Claim", "apiVersion": "platform.idp.dev/v1alpha1", "kind": "PostgresInstance" },
        "compositionSelector": { "provider": "aws" },
        "sizes": { "small": { "gb": 20 }, "large": { "gb": 100, "class": "db.m7g.large" } },
        "template": { "parameters": { "storageGB": "{size.gb}", "class": "{size.class}", "version": "{version}" } },
        "connection": {
            "keys": [{ "key": "endpoint", "env": "HOST" }, { "key": "password", "env": "PASSWORD" }],
            "variables": [{ "env": "URL", "value": "postgres://$(PASSWORD)@$(HOST)/{database}" }],
            "mountPath": "/var/run/claims/{database}",
        },
    }))
    .unwrap()
}

fn binding() -> ClaimBindingSpec {
    ClaimBindingSpec {
        application: "shop".into(),
        name: "order-book".into(),
        size: Some("small".into()),
        secret: Some("shop-order-book-connection".into()),
        ..ClaimBindingSpec::default()
    }
}

#[test]
fn claims_and_composites_differ_only_in_the_fields_of_crossplane() {
    let mut class = class();
    let inputs = inputs(&class, "team", "shop-order-book", &binding());
    let claim = claim_spec(&class, &inputs, Some("s")).unwrap();
    assert_eq!(claim["compositionSelector"]["matchLabels"]["provider"], "aws");
    assert_eq!(claim["writeConnectionSecretToRef"]["name"], "s");
    assert_eq!(claim["parameters"]["storageGB"], 20);
    assert_eq!(claim["parameters"]["class"], Value::Null);
    class.resource.type_ = ClaimType::Composite;
    let composite = claim_spec(&class, &inputs, Some("s")).unwrap();
    assert_eq!(
        composite["crossplane"]["compositionSelector"]["matchLabels"]["provider"],
        "aws"
    );
    assert_eq!(composite["parameters"], claim["parameters"]);
    assert_eq!(composite.get("writeConnectionSecretToRef"), None);
}

#[test]
fn variables_have_the_databases_prefix_and_refer_to_each_other() {
    let class = class();
    let binding = binding();
    let inputs = inputs(&class, "team", "shop-order-book", &binding);
    let env = env(&class, &binding, &inputs).unwrap();
    let names: Vec<&str> = env.iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(
        names,
        ["ORDER_BOOK_HOST", "ORDER_BOOK_PASSWORD", "ORDER_BOOK_URL"]
    );
    assert_eq!(
        env[2].from,
        ValueFrom::Literal("postgres://$(ORDER_BOOK_PASSWORD)@$(ORDER_BOOK_HOST)/order-book".into())
    );
    let files = files(&class, &binding, "claim", &inputs).unwrap().unwrap();
    assert_eq!(files.path, "/var/run/claims/order-book");
}

#[test]
fn a_class_is_checked_for_each_size() {
    assert_eq!(check(&class()), []);
    let mut wrong = class();
    wrong.template["parameters"]["name"] = json!("x{size.class}");
    wrong.connection.variables[0].value = "$(USER)".into();
    let found: Vec<String> = check(&wrong).into_iter().map(|error| error.to_string()).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found
            .iter()
            .any(|message| message.contains("{size.class} has no value")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|message| message.contains("unknown variable USER")),
        "{found:?}"
    );
}

#[test]
fn egress_is_filled_in() {
    let mut class = class();
    class.connection.egress = serde_json::from_value(json!([
        { "pods": { "labels": { "app.kubernetes.io/instance": "{name}-postgres" } }, "ports": [5432] },
        { "pods": { "namespace": "databases", "labels": { "team": "{namespace}" } }, "ports": [5432] },
        { "host": "*.example.com", "ports": [443, 8443] },
        { "range": "10.0.0.0/16", "ports": [5432] },
    ]))
    .unwrap();
    let inputs = inputs(&class, "team", "shop-order-book", &binding());
    let pods = |namespace: &str, key: &str, value: &str| EgressPeer::Pods {
        namespace: namespace.into(),
        labels: [(key.to_owned(), value.to_owned())].into(),
    };
    let found = egress(&class, "team", &inputs).unwrap();
    let to: Vec<EgressPeer> = found.iter().map(|egress| egress.to.clone()).collect();
    assert_eq!(
        to,
        [
            pods("team", "app.kubernetes.io/instance", "shop-order-book-postgres"),
            pods("databases", "team", "team"),
            EgressPeer::Host("*.example.com".into()),
            EgressPeer::Range("10.0.0.0/16".into()),
        ]
    );
    assert_eq!(found[2].ports, [443, 8443]);
    assert_eq!(check(&class), []);
    class.connection.egress[0].pods.as_mut().unwrap().namespace = Some("{nobody}".into());
    class.connection.egress[2].range = Some("10.0.0.0/16".into());
    let errors: Vec<String> = check(&class).into_iter().map(|error| error.to_string()).collect();
    assert!(
        errors
            .iter()
            .any(|message| message.contains("connection.egress[0].pods.namespace")),
        "{errors:?}"
    );
}

#[test]
fn selectors_decide_which_namespaces_may_use_it() {
    let mut class = class();
    assert!(allows(&class, &BTreeMap::new()).unwrap());
    class.namespaces = Some(serde_json::from_value(json!({ "matchLabels": { "team": "a" } })).unwrap());
    assert!(!allows(&class, &BTreeMap::new()).unwrap());
    assert!(allows(&class, &[("team".to_owned(), "a".to_owned())].into()).unwrap());
}

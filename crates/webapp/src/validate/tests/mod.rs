//! Each rule with what breaks it, as it would be written.

mod operations;
mod powers;
mod strings;
mod traffic;
mod workload;

use idp_api::{EnvironmentSpec, WebApplication, WebApplicationSpec};
use idp_core::Problem;
use serde_json::{Value, json};

use super::validate;
use crate::{observe::Observed, validate::Validated};

/// `shop` in `team-a`, with these fields of the spec.
fn app(fields: &Value) -> WebApplication {
    let mut spec = json!({"image": "registry.example.com/shop:1"});
    extend(&mut spec, fields);
    let spec: WebApplicationSpec = serde_json::from_value(spec).unwrap();
    let mut app = WebApplication::new("shop", spec);
    app.metadata.namespace = Some("team-a".into());
    app
}

/// A cluster with a mesh, a gateway and an issuer, with these fields of the Environment.
fn cluster(fields: &Value) -> Observed {
    let mut spec = json!({
        "baseDomain": "apps.example.com",
        "sizes": {"small": {"cpu": "100m", "memory": "128Mi"}, "large": {"cpu": "2", "memory": "4Gi"}},
        "defaultSize": "small",
        "replicas": {"floor": 2, "ceiling": 10},
        "certificates": {"issuer": "ca"},
        "hosts": {"allowed": [
            {
                "namespaces": [{}], "secrets": ["shop"],
                "dns": {"exact": ["*.example.org", "*.apps.example.com"], "suffixes": ["example.org", "example.com"]},
            },
            {"namespaces": [{}], "dns": {"suffixes": ["example.com"]}, "gateways": ["infra/main", "infra/other"]},
        ]},
    });
    extend(&mut spec, fields);
    let spec: EnvironmentSpec = serde_json::from_value(spec).unwrap();
    Observed {
        environments: [("staging".to_owned(), spec)].into(),
        taken_hosts: [(
            "taken.apps.example.com".to_owned(),
            "application team-b/web".to_owned(),
        )]
        .into(),
        ..Observed::default()
    }
}

fn extend(object: &mut Value, fields: &Value) {
    object
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
}

fn valid(spec: &Value, environment: &Value) -> Validated {
    validate(&app(spec), &cluster(environment)).unwrap()
}

/// A rule that is broken: the spec, the Environment, and reason and path of what is found.
type Case = (Value, Value, &'static str, &'static str);

fn check(cases: Vec<Case>, found: impl Fn(&Value, &Value) -> Vec<Problem>) {
    for (spec, environment, reason, path) in cases {
        let problems = found(&spec, &environment);
        let seen: Vec<(&str, &str)> = problems
            .iter()
            .map(|p| (p.reason.as_str(), p.path.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(seen, [(reason, path)], "{spec}");
        assert!(problems[0].hint.is_some(), "{spec}");
        assert!(!problems[0].message.is_empty(), "{spec}");
    }
}

fn check_errors(cases: Vec<Case>) {
    check(cases, |spec, environment| {
        let mut problems = validate(&app(spec), &cluster(environment)).expect_err("it is refused");
        problems.retain(Problem::is_error);
        problems
    });
}

fn check_warnings(cases: Vec<Case>) {
    check(cases, |spec, environment| valid(spec, environment).warnings);
}

#[test]
fn there_is_exactly_one_environment() {
    let mut observed = cluster(&json!({}));
    let environment = observed.environments["staging"].clone();
    observed.environments.insert("production".into(), environment);
    let problem = validate(&app(&json!({})), &observed).unwrap_err().remove(0);
    assert_eq!(problem.reason, "EnvironmentAmbiguous");
    assert!(problem.message.contains("production, staging"));
    let problem = validate(&app(&json!({})), &Observed::default())
        .unwrap_err()
        .remove(0);
    assert_eq!(problem.reason, "EnvironmentMissing");
}

#[test]
fn everything_is_found_at_once() {
    let spec = json!({
        "resources": {"size": "huge"},
        "replicas": 99,
        "routes": [{"host": "taken", "path": "/"}],
        "databases": [{"name": "db", "engine": "postgres"}],
    });
    let problems = validate(&app(&spec), &cluster(&json!({}))).unwrap_err();
    let reasons: Vec<&str> = problems.iter().map(|problem| problem.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "UnknownSize",
            "CapabilityMissing",
            "HostTaken",
            "ReplicasBounded",
            "NoIssuer"
        ]
    );
}

//! Messages that mean nothing: refused, with the field that is wrong.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

use idp_core::capability::{Description, SectionPlan, SectionRequest};
use idp_rpc::{capability::Malformed, proto::capability as wire};

fn good_request() -> wire::PlanRequest {
    wire::PlanRequest {
        application: Some(wire::Application {
            namespace: "shop".into(),
            name: "shop".into(),
        }),
        environment: Some(wire::Environment {
            name: "local".into(),
            spec: "{}".into(),
        }),
        section: "[]".into(),
        section_path: "spec.secrets".into(),
    }
}

fn good_plan() -> wire::PlanResponse {
    wire::PlanResponse {
        bindings: vec![wire::Binding {
            kind: "SecretBinding".into(),
            name: "shop".into(),
            spec: "{}".into(),
        }],
        env: vec![wire::EnvVar {
            name: "A".into(),
            source: Some(wire::env_var::Source::Value(String::new())),
        }],
        env_from: vec![wire::EnvFrom {
            secret: "shop".into(),
            prefix: String::new(),
        }],
        mounts: vec![wire::Mount {
            name: "a".into(),
            path: "/a".into(),
            source: Some(wire::mount::Source::Secret("a".into())),
            read_only: true,
        }],
        egress: vec![wire::Egress {
            to: Some(wire::egress::To::Pods(wire::PodSet {
                namespace: "shop".into(),
                labels: [("a".to_owned(), "b".to_owned())].into(),
            })),
            ports: vec![5432],
        }],
        ..wire::PlanResponse::default()
    }
}

/// Breaks a good message, and expects the error to begin with the field.
fn names<M, T: TryFrom<M, Error = Malformed> + std::fmt::Debug>(
    good: M,
    field: &str,
    change: impl FnOnce(&mut M),
) {
    let mut message = good;
    change(&mut message);
    let error = T::try_from(message).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("{field} is missing"))
            || error.starts_with(&format!("{field} is not JSON: "))
            || error.starts_with(&format!("{field} is 65536, which is not a port"))
            || error.contains(", which is not a name of") && error.starts_with(&format!("{field} is ")),
        "{field}: {error}"
    );
}

#[test]
fn malformed_requests_name_the_field() {
    assert!(SectionRequest::try_from(good_request()).is_ok());
    let names = |field: &str, change: fn(&mut wire::PlanRequest)| {
        names::<_, SectionRequest>(good_request(), field, change);
    };
    names("application", |request| request.application = None);
    names("application.namespace", |request| {
        request.application.as_mut().unwrap().namespace.clear();
    });
    names("application.name", |request| {
        request.application.as_mut().unwrap().name.clear();
    });
    names("environment", |request| request.environment = None);
    names("environment.spec", |request| {
        request.environment.as_mut().unwrap().spec.clear();
    });
    names("section", |request| request.section = "{".into());
    names("section", |request| request.section = "[".repeat(100_000));
    names("section_path", |request| request.section_path.clear());
}

#[test]
fn malformed_plans_name_the_field() {
    assert!(SectionPlan::try_from(good_plan()).is_ok());
    let names = |field: &str, change: fn(&mut wire::PlanResponse)| {
        names::<_, SectionPlan>(good_plan(), field, change);
    };
    names("bindings[0].kind", |plan| plan.bindings[0].kind.clear());
    names("bindings[0].name", |plan| {
        plan.bindings[0].name = "cc-y/../../../../sec-11/claimbindings/z".into();
    });
    names("bindings[0].name", |plan| {
        plan.bindings[0].name = "cc-x?dryRun=All&a=".into();
    });
    names("bindings[0].name", |plan| plan.bindings[0].name = "a".repeat(64));
    names("bindings[0].name", |plan| plan.bindings[0].name.clear());
    names("bindings[0].spec", |plan| plan.bindings[0].spec = "no".into());
    names("bindings[1].spec", |plan| {
        let mut second = plan.bindings[0].clone();
        second.spec.clear();
        plan.bindings.push(second);
    });
    names("env[0].name", |plan| plan.env[0].name.clear());
    names("env[0].source", |plan| plan.env[0].source = None);
    names("env_from[0].secret", |plan| plan.env_from[0].secret.clear());
    names("mounts[0].name", |plan| plan.mounts[0].name.clear());
    names("mounts[0].path", |plan| plan.mounts[0].path.clear());
    names("mounts[0].source", |plan| plan.mounts[0].source = None);
    names("egress[0].to", |plan| plan.egress[0].to = None);
    names("egress[0].ports", |plan| plan.egress[0].ports.clear());
    names("egress[0].ports[1]", |plan| plan.egress[0].ports.push(65536));
    names("egress[0].pods.labels", |plan| {
        if let Some(wire::egress::To::Pods(pods)) = &mut plan.egress[0].to {
            pods.labels.clear();
        }
    });
}

#[test]
fn malformed_descriptions_name_the_field() {
    let names = |field: &str, change: fn(&mut wire::DescribeResponse)| {
        let good = wire::DescribeResponse {
            name: "secrets".into(),
            version: "1".into(),
            section_schema: "{}".into(),
        };
        names::<_, Description>(good, field, change);
    };
    names("name", |description| description.name.clear());
    names("section_schema", |description| description.section_schema.clear());
}

#[test]
fn errors_quote_nothing_of_what_was_sent() {
    let mut request = good_request();
    request.section = r#"[{"value": "canary" canary}]"#.into();
    let error = SectionRequest::try_from(request).unwrap_err().to_string();
    assert!(!error.contains("canary"), "{error}");
}

#[test]
fn a_severity_of_a_newer_version_counts_as_an_error() {
    for unknown in [0, 3, -1] {
        let plan = wire::PlanResponse {
            problems: vec![wire::Problem {
                severity: unknown,
                reason: "New".into(),
                ..wire::Problem::default()
            }],
            ..wire::PlanResponse::default()
        };
        assert!(!SectionPlan::try_from(plan).unwrap().is_possible(), "{unknown}");
    }
}

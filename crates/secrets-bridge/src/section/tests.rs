use super::*;

fn request(section: Value) -> SectionRequest {
    SectionRequest {
        namespace: "team-a".into(),
        application: "shop".into(),
        environment: "staging".into(),
        environment_spec: json!({
            "baseDomain": "example.com", "sizes": {"small": {"cpu": "1", "memory": "1"}}, "defaultSize": "small",
            "secrets": {"store": "aws", "prefix": "{namespace}/{application}/"},
        }),
        section,
        path: "spec.secrets".into(),
    }
}

fn problems(section: Value) -> Vec<(String, String)> {
    let found = plan(&request(section)).problems.into_iter();
    found
        .map(|problem| (problem.reason, problem.path.unwrap_or_default()))
        .collect()
}

#[test]
fn whole_secrets_single_keys_files_templates_and_generated_ones() {
    let planned = plan(&request(json!([
        {"name": "whole"},
        {"name": "keys", "remoteKey": "db/main", "keys": [{"property": "user"}, {"property": "pw", "env": "DB_PW"}]},
        {"name": "files", "mountPath": "/etc/secrets"},
        {"name": "url", "template": {"DATABASE_URL": "x://{{ .user }}"}},
        {"name": "session-key", "generate": {"length": 40}},
    ])));
    assert_eq!(planned.problems, []);
    assert_eq!(planned.env_from[0].secret, "shop-secret-whole");
    let env: Vec<_> = planned
        .env
        .iter()
        .map(|variable| variable.name.as_str())
        .collect();
    assert_eq!(env, ["USER", "DB_PW", "DATABASE_URL", "SESSION_KEY"]);
    assert_eq!(planned.mounts[0].path, "/etc/secrets");
    let spec = &planned.bindings[0].spec;
    assert_eq!(spec["secrets"][1]["remoteKey"], "team-a/shop/db/main");
    assert_eq!(spec["secrets"][0]["remoteKey"], "team-a/shop/whole");
    assert_eq!(spec["secrets"][0]["refreshInterval"], "1h");
    assert!(spec["secrets"][4].get("remoteKey").is_none());
}

#[test]
fn keys_outside_the_prefix_are_rejected_with_their_path() {
    for key in [
        "../admin/db",
        "a/../../b",
        "%2e%2e/admin",
        "db#version",
        "/db",
        "db/",
        "dä",
        &"x".repeat(600),
    ] {
        assert_eq!(
            problems(json!([{"name": "fine"}, {"name": "db", "remoteKey": key}])),
            [(
                "InvalidRemoteKey".to_owned(),
                "spec.secrets[1].remoteKey".to_owned()
            )],
            "{key}"
        );
    }
}

#[test]
fn conflicting_names_are_rejected_with_their_path() {
    assert_eq!(
        problems(json!([
            {"name": "a", "keys": [{"property": "user"}]},
            {"name": "b", "keys": [{"property": "x"}, {"property": "USER"}]},
        ])),
        [(
            "VariableConflict".to_owned(),
            "spec.secrets[1].keys[1]".to_owned()
        )]
    );
    assert_eq!(
        problems(json!([{"name": "a"}, {"name": "a"}])),
        [("Duplicate".to_owned(), "spec.secrets[1].name".to_owned())]
    );
}

#[test]
fn an_environment_without_a_store_is_reported() {
    let mut request = request(json!([{"name": "a"}]));
    request.environment_spec["secrets"] = Value::Null;
    assert_eq!(plan(&request).problems[0].reason, "NoSecretStore");
    request.environment_spec["secrets"] = json!({"store": "aws", "prefix": "{tenant}/"});
    assert_eq!(plan(&request).problems[0].reason, "InvalidEnvironment");
}

#[test]
fn the_section_is_described() {
    assert_eq!(schema()["type"], "array");
}

#[test]
fn templates_that_read_other_secrets_are_rejected_with_their_path() {
    for (template, reason) in [
        (
            r#"{{ getSecretKey "db" "victim" "password" }}"#,
            "TemplateFunctionNotAllowed",
        ),
        ("{{ .a", "TemplateInvalid"),
    ] {
        let section = json!([{"name": "loot", "generate": {}, "template": {"STOLEN": template}}]);
        let path = "spec.secrets[0].template.STOLEN".to_owned();
        assert_eq!(problems(section), [(reason.to_owned(), path)]);
    }
}

#[test]
fn the_default_interval_is_not_below_the_minimum() {
    let mut request = request(json!([{"name": "a"}]));
    request.environment_spec["limits"] = json!({"secrets": {"leastInterval": "2h"}});
    let spec = &plan(&request).bindings[0].spec;
    assert_eq!(spec["secrets"][0]["refreshInterval"], "2h");
}

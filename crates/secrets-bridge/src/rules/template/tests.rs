use super::*;

#[test]
fn templates_of_connection_strings_are_accepted() {
    for (template, actions) in [
        ("plain text", 0),
        ("{\"a\": [{}]}", 0),
        (
            "postgres://{{ .user }}:{{ .password | urlquery }}@{{ .host }}:{{ .port | default \"5432\" }}/db",
            4,
        ),
        ("{{.user}}", 1),
        ("{{- .user -}}", 1),
        ("{{ index . \"tls.crt\" | b64enc }}", 1),
        ("{{ list .host .replica | join \",\" }}", 1),
        ("{{ quote .user .password }}", 1),
        ("{{ .user|upper }}", 1),
        ("{{ default 5432 .port }}", 1),
        ("{{ trimPrefix \"https://\" .url | squote }}", 1),
        ("ü {{ .user }} }} {", 1),
    ] {
        assert_eq!(check(template), Ok(actions), "{template}");
    }
}

#[test]
fn other_functions_are_rejected_by_name() {
    for (template, name) in [
        (
            "{{ getSecretKey \"db\" \"victim\" \"password\" }}",
            "getSecretKey",
        ),
        ("{{ until 2000000000 | len }}", "until"),
        ("{{ .a | repeat 1000000000 }}", "repeat"),
        ("{{ getHostByName .password }}", "getHostByName"),
        (
            "{{ quote getSecretKey \"db\" \"victim\" \"password\" }}",
            "getSecretKey",
        ),
        ("{{- genPrivateKey \"rsa\" -}}", "genPrivateKey"),
        ("{{ .a | upper | env }}", "env"),
        ("{{ range .a }}x{{ end }}", "range"),
        ("{{ define \"x\" }}", "define"),
        ("{{ if .a }}", "if"),
        ("{{ printf \"%1000000d\" 1 }}", "printf"),
        ("{{ Quote .a }}", "Quote"),
        ("{{ call .a }}", "call"),
    ] {
        assert_eq!(
            check(template),
            Err(Rejection::Function(name.into())),
            "{template}"
        );
    }
}

#[test]
fn all_other_syntax_of_go_templates_is_rejected() {
    for template in [
        "{{ (getSecretKey \"db\" \"victim\" \"password\") }}",
        "{{ quote (.a) }}",
        "{{ $x := .a }}",
        "{{ $ }}",
        "{{ .a.b }}",
        "{{ . }}",
        "{{ quote . }}",
        "{{ index . \"a\" \"b\" }}",
        "{{ index .a \"b\" }}",
        "{{ .a | index . \"b\" }}",
        "{{/* getSecretKey */}}",
        "{{ `raw` }}",
        "{{ \"a\\\"b\" }}",
        "{{ \"}}\" }}",
        "{{ 'a' }}",
        "{{ 1e9 }}",
        "{{ 0x7fffffff }}",
        "{{ 9999999999 }}",
        "{{ -1 }}",
        "{{ .a .b }}",
        "{{ .a | .b }}",
        "{{ .a | }}",
        "{{ | quote }}",
        "{{ }}",
        "{{}}",
        "{{-}}",
        "{{ .a",
        "{{{ .a }}}",
        "{{ .é }}",
        "{{ .a\u{a0}| quote }}",
        "{{ .a | quote | quote | quote }}",
        "{{ list .a .a .a .a .a .a .a .a .a }}",
        "{{ .a\"b\" }}",
        "{{ quote\"b\" }}",
    ] {
        assert!(
            matches!(check(template), Err(Rejection::Syntax(_))),
            "{template}: {:?}",
            check(template)
        );
    }
    assert!(check(&"x".repeat(5000)).is_err());
}

#[test]
fn the_admission_policy_and_the_docs_name_the_same_functions() {
    let policy = include_str!("../../../../../platform/admission/external-secrets.yaml");
    let functions: Vec<_> = FUNCTIONS.into_iter().filter(|name| *name != "index").collect();
    assert!(policy.contains(&format!("(?:{})", functions.join("|"))));
    let docs = include_str!("../../../../../docs/architecture/0014-secrets-of-tenants.md");
    for name in FUNCTIONS {
        assert!(docs.contains(&format!("`{name}`")), "{name}");
    }
}

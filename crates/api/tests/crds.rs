//! The generated CRDs are current, and every field has a description.

use std::path::Path;

use serde_json::Value;

#[test]
fn files_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../platform/crds");
    for (name, expected) in idp_api::generated::files().unwrap() {
        let found = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
        assert!(
            found == expected,
            "platform/crds/{name} is not current: run `cargo xtask generate`"
        );
    }
}

#[test]
fn every_generated_file_has_a_type() {
    let known: Vec<String> = idp_api::generated::files()
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../platform/crds")).unwrap()
    {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            known.contains(&name),
            "platform/crds/{name} belongs to no type of crates/api"
        );
    }
}

#[test]
fn every_field_is_described() {
    let mut missing = Vec::new();
    let mut seen = 0;
    for crd in idp_api::crds() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        let schema = &schema["openAPIV3Schema"]["properties"];
        for part in ["spec", "status"] {
            check(
                &schema[part],
                &format!("{}.{part}", crd.spec.names.kind),
                &mut missing,
                &mut seen,
            );
        }
    }
    assert!(seen > 150, "only {seen} fields were looked at");
    assert!(missing.is_empty(), "fields without a description: {missing:#?}");
}

fn check(schema: &Value, path: &str, missing: &mut Vec<String>, seen: &mut usize) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        *seen += 1;
        let path = format!("{path}.{name}");
        if field["description"].as_str().unwrap_or_default().is_empty() {
            missing.push(path.clone());
        }
        check(field, &path, missing, seen);
    }
    for part in ["items", "additionalProperties"] {
        if schema[part].is_object() {
            check(&schema[part], path, missing, seen);
        }
    }
}

//! What the API server accepts, the types read: every field of every definition, at the ends of what it may hold.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

use idp_api::{
    AllowedHosts, CapabilityBinding, CertificateBinding, CertificatePolicy, ClaimBinding, ClaimClass,
    Environment, SecretBinding, WebApplication,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// How deep a schema may be.
const LEVELS: usize = 24;

fn reads<K: DeserializeOwned>(object: &Value) -> Result<(), String> {
    K::deserialize(object)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// Reads an object of one of our kinds.
fn read(kind: &str, object: &Value) -> Result<(), String> {
    match kind {
        "AllowedHosts" => reads::<AllowedHosts>(object),
        "CapabilityBinding" => reads::<CapabilityBinding>(object),
        "CertificateBinding" => reads::<CertificateBinding>(object),
        "CertificatePolicy" => reads::<CertificatePolicy>(object),
        "ClaimBinding" => reads::<ClaimBinding>(object),
        "ClaimClass" => reads::<ClaimClass>(object),
        "Environment" => reads::<Environment>(object),
        "SecretBinding" => reads::<SecretBinding>(object),
        "WebApplication" => reads::<WebApplication>(object),
        _ => panic!("{kind} is not read here"),
    }
}

/// The smallest value that fits.
fn least(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return "1".into();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let required = schema["required"].as_array().into_iter().flatten();
            let required = required.map(|name| name.as_str().unwrap());
            let fields: Map<String, Value> = required
                .map(|name| (name.to_owned(), least(&schema["properties"][name])))
                .collect();
            fields.into()
        }
        Some("array") => {
            let count = schema["minItems"].as_u64().unwrap_or_default();
            (0..count).map(|_| least(&schema["items"])).collect()
        }
        Some("integer") => schema["minimum"].as_f64().map_or(json!(0), whole),
        Some("number") => json!(0.5),
        Some("boolean") => json!(true),
        Some("string") => json!("a"),
        other => panic!("a type that this test does not know: {other:?} in {schema}"),
    }
}

fn whole(number: f64) -> Value {
    let text = format!("{number:.0}");
    json!(text.parse::<i64>().unwrap())
}

/// Values of a field at the ends of what it may hold, each with its path.
fn ends(schema: &Value, path: &str, level: usize) -> Vec<(String, Value)> {
    assert!(level < LEVELS, "{path} is deeper than this test looks");
    let mut found = Vec::new();
    let mut add = |value: Value| found.push((path.to_owned(), value));
    if schema["nullable"] == true {
        add(Value::Null);
    }
    for value in schema["enum"].as_array().into_iter().flatten() {
        add(value.clone());
    }
    let is_number = schema["x-kubernetes-int-or-string"] == true || schema["type"] == "integer";
    if is_number {
        for end in ["minimum", "maximum"] {
            let end = schema[end].as_f64();
            add(whole(end.unwrap_or_else(|| panic!("{path} has no bounds"))));
        }
    }
    if schema["type"] == "object" && schema["x-kubernetes-preserve-unknown-fields"] == true {
        add(json!({"a": {"b": [1, -1.5, "c", null, {}]}}));
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        for (at, value) in ends(field, &format!("{path}.{name}"), level + 1) {
            let mut whole = least(schema);
            whole[name] = value;
            found.push((at, whole));
        }
    }
    if schema["items"].is_object() {
        for (at, value) in ends(&schema["items"], &format!("{path}[]"), level + 1) {
            found.push((at, json!([value])));
        }
    }
    if schema["additionalProperties"].is_object() {
        for (at, value) in ends(&schema["additionalProperties"], &format!("{path}{{}}"), level + 1) {
            found.push((at, json!({ "a": value })));
        }
    }
    found
}

#[test]
fn every_field_is_read_at_the_ends_of_what_it_may_hold() {
    let (mut looked, mut unread) = (0, Vec::new());
    for crd in idp_api::crds() {
        let kind = crd.spec.names.kind.as_str();
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        let fields = &schema["openAPIV3Schema"]["properties"];
        let object = |part: &str, value: Value| {
            let mut object = json!({
                "apiVersion": "idp.dev/v1alpha1", "kind": kind, "metadata": {"name": "a"}, "spec": least(&fields["spec"]),
            });
            object[part] = value;
            object
        };
        read(kind, &object("spec", least(&fields["spec"]))).unwrap();
        for part in ["spec", "status"]
            .into_iter()
            .filter(|part| fields[*part].is_object())
        {
            for (path, value) in ends(&fields[part], part, 0) {
                looked += 1;
                if let Err(error) = read(kind, &object(part, value)) {
                    unread.push(format!("{kind} {path}: {error}"));
                }
            }
        }
    }
    assert!(looked > 400, "only {looked} values were tried");
    assert!(unread.is_empty(), "accepted and not read: {unread:#?}");
}

/// Free objects have no schema that could say how deep they are; how many members they have, it says.
#[test]
fn what_has_no_schema_has_a_bound() {
    fn look(schema: &Value, path: &str) {
        if schema["x-kubernetes-preserve-unknown-fields"] == true && schema["type"] == "object" {
            assert!(schema["maxProperties"].is_number(), "{path} has no bound");
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            look(field, &format!("{path}.{name}"));
        }
        for part in ["items", "additionalProperties"]
            .into_iter()
            .filter(|part| schema[*part].is_object())
        {
            look(&schema[part], path);
        }
    }
    for crd in idp_api::crds() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        look(
            &schema["openAPIV3Schema"]["properties"]["spec"],
            &crd.spec.names.kind,
        );
    }
}

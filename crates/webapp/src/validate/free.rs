//! Fields without a schema: sections of `spec.capabilities`, and patches. The API server limits neither their depth nor their
//! size, and other programs read them.

use idp_api::WebApplicationSpec;
use idp_core::Problem;
use serde_json::Value;

use super::findings::Findings;
use crate::reasons;

/// Maximum levels of nesting. A pod's most deeply nested field has 12.
const MAX_LEVELS: usize = 32;
/// Maximum bytes, as JSON without spaces.
const MAX_BYTES: usize = 64 * 1024;

/// Checks the fields without a schema.
pub(super) fn free(spec: &WebApplicationSpec, found: &mut Findings) {
    let sections = spec.capabilities.iter();
    for (name, section) in sections {
        bounded(section, &format!("spec.capabilities.{name}"), found);
    }
    for (index, patch) in spec.patches.iter().enumerate() {
        bounded(&patch.merge, &format!("spec.patches[{index}].merge"), found);
    }
}

fn bounded(value: &Value, path: &str, found: &mut Findings) {
    if is_deeper(value, MAX_LEVELS) {
        let message = format!("The value is nested deeper than {MAX_LEVELS} levels.");
        found.add(Problem::error(reasons::TOO_DEEP, message).at(path));
    }
    let bytes = serde_json::to_string(value).map_or(0, |text| text.len());
    if bytes > MAX_BYTES {
        let message = format!("The value has {bytes} bytes. The maximum is {MAX_BYTES}.");
        found.add(Problem::error(reasons::TOO_LARGE, message).at(path));
    }
}

/// Whether containers are nested more than `levels` times.
fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Object(members) => levels == 0 || members.values().any(|value| is_deeper(value, levels - 1)),
        Value::Array(elements) => levels == 0 || elements.iter().any(|value| is_deeper(value, levels - 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(value: &Value) -> Vec<(String, String)> {
        let mut findings = Findings::default();
        let spec = json!({"image": "a:1", "capabilities": {"x": value}, "patches": [{"kind": "Deployment", "merge": value}]});
        free(&serde_json::from_value(spec).unwrap(), &mut findings);
        let problems = findings.finish().err().unwrap_or_default();
        let of = |problem: Problem| (problem.reason, problem.path.unwrap());
        problems.into_iter().map(of).collect()
    }

    fn nested(levels: usize, wrap: impl Fn(Value) -> Value) -> Value {
        (1..levels).fold(json!({}), |value, _| wrap(value))
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let both = |reason: &str| {
            ["spec.capabilities.x", "spec.patches[0].merge"].map(|path| (reason.to_owned(), path.to_owned()))
        };
        let object = |value: Value| json!({ "a": value });
        assert_eq!(found(&nested(32, object)), []);
        assert_eq!(found(&nested(33, object)), both("TooDeep"));
        assert_eq!(
            found(&json!({ "a": nested(32, |value| json!([value])) })),
            both("TooDeep")
        );
        assert_eq!(found(&json!({ "a": "x".repeat(60 * 1024) })), []);
        assert_eq!(found(&json!({ "a": "x".repeat(64 * 1024) })), both("TooLarge"));
    }
}

//! Templates of claims: JSON whose strings have placeholders such as `{name}`. Nothing is computed, so filling one in
//! always ends.

use std::collections::BTreeMap;

use serde_json::Value;

/// The values of placeholders, by name. A known input without a value is `Null`.
pub type Inputs = BTreeMap<String, Value>;

/// Why a class's template cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{path}: {what}")]
pub struct TemplateError {
    /// The field of the class.
    pub path: String,
    /// What is wrong.
    pub what: String,
}

impl TemplateError {
    pub(super) fn new(path: &str, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            what: what.into(),
        }
    }

    /// The same error, where the template is the field `parent`.
    pub(super) fn below(self, parent: &str) -> Self {
        let path = match self.path.as_str() {
            "" => parent.to_owned(),
            path => format!("{parent}.{path}"),
        };
        Self { path, ..self }
    }
}

/// Fills in a template. A string that is one placeholder and nothing else takes the type of its value; without a value it
/// becomes `null`, which the plan leaves out.
///
/// # Errors
/// Every unknown placeholder, and every value that is not a string, number or boolean within a string.
pub fn fill(template: &Value, inputs: &Inputs) -> Result<Value, Vec<TemplateError>> {
    let mut errors = Vec::new();
    let filled = walk(template, inputs, "", &mut errors);
    if errors.is_empty() {
        Ok(filled)
    } else {
        Err(errors)
    }
}

/// Fills in a string.
///
/// # Errors
/// As [`fill`], and when a placeholder has no value.
pub fn fill_text(text: &str, inputs: &Inputs) -> Result<String, TemplateError> {
    let parts = parse(text).map_err(|what| TemplateError::new("", what))?;
    let mut filled = String::new();
    for part in parts {
        match part {
            Part::Text(text) => filled += &text,
            Part::Input(name) => {
                filled += &as_text(&name, inputs).map_err(|what| TemplateError::new("", what))?;
            }
        }
    }
    Ok(filled)
}

fn walk(template: &Value, inputs: &Inputs, path: &str, errors: &mut Vec<TemplateError>) -> Value {
    match template {
        Value::String(text) => match fill_value(text, inputs) {
            Ok(value) => value,
            Err(what) => {
                errors.push(TemplateError::new(path, what));
                Value::Null
            }
        },
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| walk(item, inputs, &format!("{path}[{index}]"), errors))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                (name.clone(), walk(field, inputs, &path, errors))
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

fn fill_value(text: &str, inputs: &Inputs) -> Result<Value, String> {
    let parts = parse(text)?;
    if let [Part::Input(name)] = &parts[..] {
        return inputs.get(name).cloned().ok_or_else(|| unknown(name));
    }
    let texts = parts.into_iter().map(|part| match part {
        Part::Text(text) => Ok(text),
        Part::Input(name) => as_text(&name, inputs),
    });
    Ok(Value::String(texts.collect::<Result<String, String>>()?))
}

fn as_text(name: &str, inputs: &Inputs) -> Result<String, String> {
    match inputs.get(name) {
        None => Err(unknown(name)),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Bool(flag)) => Ok(flag.to_string()),
        Some(Value::Null) => Err(format!("the placeholder {{{name}}} has no value here")),
        Some(_) => Err(format!(
            "the placeholder {{{name}}} is not a string, number or boolean, so it must be the whole string"
        )),
    }
}

fn unknown(name: &str) -> String {
    format!("unknown placeholder {{{name}}}")
}

enum Part {
    Text(String),
    Input(String),
}

fn parse(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal += &rest[..at];
        let brace = &rest[at..at + 1];
        let after = &rest[at + 1..];
        if let Some(doubled) = after.strip_prefix(brace) {
            literal += brace;
            rest = doubled;
            continue;
        }
        let Some((name, after)) = after.split_once('}').filter(|_| brace == "{") else {
            return Err(format!(
                "unmatched brace in {text:?}; write {{{{ or }}}} for a literal brace"
            ));
        };
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(Part::Input(name.to_owned()));
        rest = after;
    }
    literal += rest;
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn inputs() -> Inputs {
        let inputs = json!({ "name": "shop-orders", "size.storageGB": 20, "versioned": true, "version": null,
            "size.tags": { "a": "b" } });
        serde_json::from_value(inputs).unwrap()
    }

    #[test]
    fn a_string_that_is_one_placeholder_takes_its_type() {
        let template = json!({ "storageGB": "{size.storageGB}", "flag": "{versioned}", "none": "{version}",
            "tags": "{size.tags}", "list": ["{name}", 3], "plain": true });
        let filled = fill(&template, &inputs()).unwrap();
        assert_eq!(
            filled,
            json!({ "storageGB": 20, "flag": true, "none": null, "tags": { "a": "b" },
                "list": ["shop-orders", 3], "plain": true })
        );
    }

    #[test]
    fn placeholders_within_a_string_become_text() {
        let filled = fill(&json!("db-{name}-{size.storageGB}/{{x}}"), &inputs()).unwrap();
        assert_eq!(filled, json!("db-shop-orders-20/{x}"));
        assert_eq!(fill_text("/var/{name}", &inputs()).unwrap(), "/var/shop-orders");
    }

    #[test]
    fn all_errors_are_found_with_their_paths() {
        let template = json!({ "a": "{nmae}", "b": [{ "c": "v{version}" }], "d": "{name", "e": "x{size.tags}", "f": "}" });
        let errors: Vec<String> = fill(&template, &inputs())
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(errors.len(), 5, "{errors:?}");
        assert_eq!(errors[0], "a: unknown placeholder {nmae}");
        assert!(errors[1].starts_with("b[0].c: the placeholder {version} has no value"));
    }

    #[test]
    fn values_are_never_filled_in_again() {
        let inputs = Inputs::from([("name".to_owned(), json!("{secret}"))]);
        assert_eq!(fill(&json!("{name}"), &inputs).unwrap(), json!("{secret}"));
        assert_eq!(fill_text("x{name}", &inputs).unwrap(), "x{secret}");
    }
}

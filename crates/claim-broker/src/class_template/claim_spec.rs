//! The claim's spec.

use idp_api::{ClaimClassSpec, claim_class::ClaimType};
use serde_json::{Map, Value, json};

use super::placeholders::{self, Inputs, TemplateError};

/// `spec` of the claim: the filled template, and the fields that Crossplane reads.
///
/// # Errors
/// When the template cannot be filled in.
pub fn claim_spec(
    class: &ClaimClassSpec,
    inputs: &Inputs,
    secret: Option<&str>,
) -> Result<Value, Vec<TemplateError>> {
    let filled = placeholders::fill(&class.template, inputs).map_err(|errors| {
        errors
            .into_iter()
            .map(|error| error.below("template"))
            .collect::<Vec<_>>()
    })?;
    let mut spec = match filled {
        Value::Object(fields) => fields,
        Value::Null => Map::new(),
        _ => return Err(vec![TemplateError::new("template", "must be an object")]),
    };
    let selector = (!class.composition_selector.is_empty())
        .then(|| json!({ "matchLabels": class.composition_selector }));
    match class.resource.type_ {
        ClaimType::Claim => {
            if let Some(selector) = selector {
                spec.insert("compositionSelector".into(), selector);
            }
            if let Some(secret) = secret {
                spec.insert("writeConnectionSecretToRef".into(), json!({ "name": secret }));
            }
        }
        ClaimType::Composite => {
            if let Some(selector) = selector {
                spec.insert("crossplane".into(), json!({ "compositionSelector": selector }));
            }
        }
        ClaimType::PersistentVolumeClaim => {}
    }
    Ok(Value::Object(spec))
}

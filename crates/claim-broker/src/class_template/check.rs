//! Faults of a class that show without a binding.

use std::collections::BTreeMap;

use idp_api::{ClaimBindingSpec, ClaimClassSpec, claim_class::ClaimType};
use kube::core::{Selector, SelectorExt};

use super::{
    claim_spec::claim_spec,
    connection::{egress, env, files, has_secret},
    inputs::inputs,
    placeholders::TemplateError,
};

/// Whether a namespace with these labels may use the class.
pub fn allows(class: &ClaimClassSpec, labels: &BTreeMap<String, String>) -> Result<bool, TemplateError> {
    let Some(selector) = &class.namespaces else {
        return Ok(true);
    };
    let selector = Selector::try_from(selector.clone())
        .map_err(|error| TemplateError::new("namespaces", error.to_string()))?;
    Ok(selector.matches(labels))
}

/// Every fault of a class, for any binding: each of its sizes is filled in.
pub fn check(class: &ClaimClassSpec) -> Vec<TemplateError> {
    let mut errors = Vec::new();
    let volume = class.resource.type_ == ClaimType::PersistentVolumeClaim;
    let sizes: Vec<Option<String>> = if class.sizes.is_empty() {
        vec![volume.then(|| "1Gi".to_owned())]
    } else {
        class.sizes.keys().cloned().map(Some).collect()
    };
    for size in sizes {
        let binding = ClaimBindingSpec {
            application: "application".into(),
            name: "database".into(),
            engine: class.engine.clone(),
            version: class
                .default_version
                .clone()
                .or_else(|| class.versions.first().cloned()),
            size,
            environment: Some("environment".into()),
            secret: has_secret(class).then(|| "secret".to_owned()),
            ..ClaimBindingSpec::default()
        };
        let inputs = inputs(class, "namespace", "name", &binding);
        if let Err(found) = claim_spec(class, &inputs, binding.secret.as_deref()) {
            errors.extend(found);
        }
        errors.extend(env(class, &binding, &inputs).err());
        errors.extend(files(class, &binding, "name", &inputs).err());
        errors.extend(egress(class, "namespace", &inputs).err());
    }
    errors.extend(allows(class, &BTreeMap::new()).err());
    errors.sort();
    errors.dedup();
    errors
}

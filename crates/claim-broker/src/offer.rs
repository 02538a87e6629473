//! What a class offers to one binding: its template and its connection, filled in.

use std::collections::BTreeMap;

use idp_api::{ClaimBindingSpec, ClaimClassSpec, claim_class::ClaimType};
use idp_core::{
    Problem,
    capability::{Egress, EgressPeer, EnvSource, KeyRef, Mount, MountSource, ValueFrom},
    hash,
};
use kube::core::{Selector, SelectorExt};
use serde_json::{Map, Value, json};

use crate::{
    reason,
    template::{self, Inputs},
};

/// Longest name of an object: it must fit a label too.
pub const LONGEST: usize = 63;

/// Name of the connection Secret of a binding: the same for every class and both generations of Crossplane.
pub fn secret_name(binding: &str) -> String {
    hash::bounded_name(binding, "connection", LONGEST)
}

/// Whether the class offers a connection Secret.
pub fn has_secret(class: &ClaimClassSpec) -> bool {
    !class.connection.keys.is_empty() || class.connection.mount_path.is_some()
}

/// What the template of a class may name, for one binding.
pub fn inputs(class: &ClaimClassSpec, namespace: &str, name: &str, binding: &ClaimBindingSpec) -> Inputs {
    let mut inputs = Inputs::from(
        [
            ("name", json!(name)),
            ("namespace", json!(namespace)),
            ("application", json!(binding.application)),
            ("database", json!(binding.name)),
            ("engine", json!(binding.engine)),
            ("version", json!(binding.version)),
            ("size", json!(binding.size)),
            ("versioned", json!(binding.versioned)),
            ("secret", json!(binding.secret)),
            ("environment", json!(binding.environment)),
            (
                "backup.retentionDays",
                json!(class.backup.as_ref().map(|backup| backup.retention_days)),
            ),
            (
                "backup.window",
                json!(class.backup.as_ref().map(|backup| &backup.window)),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    // What one size says and another does not, is an input without a value for the other.
    let names = class
        .sizes
        .values()
        .filter_map(Value::as_object)
        .flat_map(Map::keys);
    inputs.extend(names.map(|name| (format!("size.{name}"), Value::Null)));
    let size = binding.size.as_ref().and_then(|size| class.sizes.get(size));
    for (name, value) in size.and_then(Value::as_object).into_iter().flatten() {
        inputs.insert(format!("size.{name}"), value.clone());
    }
    inputs
}

/// `spec` of the claim, with what Crossplane needs besides the template.
///
/// # Errors
/// When the template cannot be filled in.
pub fn claim_spec(
    class: &ClaimClassSpec,
    inputs: &Inputs,
    secret: Option<&str>,
) -> Result<Value, Vec<Problem>> {
    let filled = template::fill(&class.template, inputs).map_err(|errors| {
        errors
            .iter()
            .map(|error| invalid(&format!("template.{error}")))
            .collect::<Vec<_>>()
    })?;
    let mut spec = match filled {
        Value::Object(fields) => fields,
        Value::Null => Map::new(),
        _ => return Err(vec![invalid("template must be an object")]),
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

/// The problem of a class that cannot be used as it is written.
pub fn invalid(what: &str) -> Problem {
    Problem::error(
        reason::CLASS_INVALID,
        format!("the class cannot be used as it is written: {what}"),
    )
    .hint("the platform team mends the ClaimClass; its status lists all that is wrong with it")
}

/// The environment variables that an application gets of a database: first those of Secret keys, so that the others
/// may refer to them.
///
/// # Errors
/// When a variable's value cannot be filled in.
pub fn env(
    class: &ClaimClassSpec,
    binding: &ClaimBindingSpec,
    inputs: &Inputs,
) -> Result<Vec<EnvSource>, Problem> {
    let prefix = env_prefix(&binding.name);
    let mut env = Vec::new();
    let names: BTreeMap<&str, String> = names(class)
        .map(|name| (name, format!("{prefix}{name}")))
        .collect();
    if let Some(secret) = &binding.secret {
        env.extend(class.connection.keys.iter().map(|key| EnvSource {
            name: format!("{prefix}{}", key.env),
            from: ValueFrom::Secret(KeyRef {
                name: secret.clone(),
                key: key.key.clone(),
                optional: key.optional,
            }),
        }));
    }
    for variable in &class.connection.variables {
        let place =
            |what: &dyn std::fmt::Display| invalid(&format!("connection.variables {}{what}", variable.env));
        let value = template::fill_text(&variable.value, inputs).map_err(|error| place(&error))?;
        env.push(EnvSource {
            name: format!("{prefix}{}", variable.env),
            from: ValueFrom::Literal(
                refer(&value, &names).map_err(|name| place(&format!(": there is no variable {name}")))?,
            ),
        });
    }
    Ok(env)
}

fn names(class: &ClaimClassSpec) -> impl Iterator<Item = &str> {
    let keys = class.connection.keys.iter().map(|key| key.env.as_str());
    keys.chain(
        class
            .connection
            .variables
            .iter()
            .map(|variable| variable.env.as_str()),
    )
}

/// `$(HOST)` becomes `$(ORDERS_HOST)`: the kubelet puts the value there when it starts a container.
fn refer(value: &str, names: &BTreeMap<&str, String>) -> Result<String, String> {
    let mut parts = value.split("$(");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, after) = part.split_once(')').ok_or_else(|| part.to_owned())?;
        let name = names.get(name).ok_or_else(|| name.to_owned())?;
        text += &format!("$({name}){after}");
    }
    Ok(text)
}

/// What the variables of a database begin with.
pub fn env_prefix(name: &str) -> String {
    format!("{}_", name.to_ascii_uppercase().replace('-', "_"))
}

/// The directory with the Secret's keys as files, if the class offers one.
///
/// # Errors
/// When its path cannot be filled in.
pub fn files(
    class: &ClaimClassSpec,
    binding: &ClaimBindingSpec,
    name: &str,
    inputs: &Inputs,
) -> Result<Option<Mount>, Problem> {
    let (Some(path), Some(secret)) = (&class.connection.mount_path, &binding.secret) else {
        return Ok(None);
    };
    let path = template::fill_text(path, inputs)
        .map_err(|error| invalid(&format!("connection.mountPath{error}")))?;
    Ok(Some(Mount {
        name: name.to_owned(),
        path,
        source: MountSource::Secret(secret.clone()),
        read_only: true,
    }))
}

/// Where the application's pods may connect to.
///
/// # Errors
/// When a namespace or label cannot be filled in, or an entry does not say where to.
pub fn egress(class: &ClaimClassSpec, namespace: &str, inputs: &Inputs) -> Result<Vec<Egress>, Problem> {
    let entries = class.connection.egress.iter().enumerate();
    entries
        .map(|(index, entry)| {
            let place = |field: &str| format!("connection.egress[{index}]{field}");
            let to = match (&entry.pods, &entry.host, &entry.range) {
                (Some(pods), None, None) => {
                    let fill = |field: &str, text: &str| {
                        template::fill_text(text, inputs)
                            .map_err(|error| invalid(&format!("{}{error}", place(field))))
                    };
                    let labels = pods.labels.iter().map(|(key, value)| {
                        let value = fill(&format!(".pods.labels[{key}]"), value)?;
                        Ok((key.clone(), value))
                    });
                    EgressPeer::Pods {
                        labels: labels.collect::<Result<_, Problem>>()?,
                        namespace: pods
                            .namespace
                            .as_ref()
                            .map_or_else(|| Ok(namespace.to_owned()), |text| fill(".pods.namespace", text))?,
                    }
                }
                (None, Some(host), None) => EgressPeer::Host(host.clone()),
                (None, None, Some(range)) => EgressPeer::Range(range.clone()),
                _ => {
                    return Err(invalid(&format!(
                        "{} says not exactly one of pods, host and range",
                        place("")
                    )));
                }
            };
            Ok(Egress {
                to,
                ports: entry.ports.clone(),
            })
        })
        .collect()
}

/// Whether a namespace with these labels may use the class.
pub fn allows(class: &ClaimClassSpec, labels: &BTreeMap<String, String>) -> Result<bool, Problem> {
    let Some(selector) = &class.namespaces else {
        return Ok(true);
    };
    let selector =
        Selector::try_from(selector.clone()).map_err(|error| invalid(&format!("namespaces: {error}")))?;
    Ok(selector.matches(labels))
}

/// Everything that is wrong with a class, whoever uses it: each size and version is tried.
pub fn check(class: &ClaimClassSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
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
            problems.extend(found);
        }
        problems.extend(env(class, &binding, &inputs).err());
        problems.extend(files(class, &binding, "name", &inputs).err());
        problems.extend(egress(class, "namespace", &inputs).err());
    }
    problems.extend(allows(class, &BTreeMap::new()).err());
    problems.sort();
    problems.dedup();
    problems
}

#[cfg(test)]
mod tests;

//! What an application gets to connect: environment variables, files and network access.

use std::collections::BTreeMap;

use idp_api::{ClaimBindingSpec, ClaimClassSpec};
use idp_core::{
    capability::{Egress, EgressPeer, EnvSource, KeyRef, Mount, MountSource, ValueFrom},
    hash,
};

use super::placeholders::{self, Inputs, TemplateError};

/// Longest name of an object, in characters: it must fit a label too.
pub const MAX_OBJECT_NAME: usize = 63;

/// Name of the connection Secret of a binding: the same for every class and for both ways of Crossplane.
pub fn secret_name(binding: &str) -> String {
    hash::bounded_name(binding, "connection", MAX_OBJECT_NAME)
}

/// Whether the class has a connection Secret.
pub fn has_secret(class: &ClaimClassSpec) -> bool {
    !class.connection.keys.is_empty() || class.connection.mount_path.is_some()
}

/// The environment variables of a database. Those from Secret keys come first, so that the others can refer to them.
///
/// # Errors
/// When a variable's value cannot be filled in.
pub fn env(
    class: &ClaimClassSpec,
    binding: &ClaimBindingSpec,
    inputs: &Inputs,
) -> Result<Vec<EnvSource>, TemplateError> {
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
        let path = format!("connection.variables[{}]", variable.env);
        let value = placeholders::fill_text(&variable.value, inputs).map_err(|error| error.below(&path))?;
        env.push(EnvSource {
            name: format!("{prefix}{}", variable.env),
            from: ValueFrom::Literal(
                prefix_references(&value, &names)
                    .map_err(|name| TemplateError::new(&path, format!("unknown variable {name}")))?,
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

/// `$(HOST)` becomes `$(ORDERS_HOST)`, which the kubelet expands when it starts a container.
fn prefix_references(value: &str, names: &BTreeMap<&str, String>) -> Result<String, String> {
    let mut parts = value.split("$(");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, after) = part.split_once(')').ok_or_else(|| part.to_owned())?;
        let name = names.get(name).ok_or_else(|| name.to_owned())?;
        text += &format!("$({name}){after}");
    }
    Ok(text)
}

/// The prefix of a database's variables.
pub fn env_prefix(name: &str) -> String {
    format!("{}_", name.to_ascii_uppercase().replace('-', "_"))
}

/// The directory with the Secret's keys as files, if the class has one.
///
/// # Errors
/// When its path cannot be filled in.
pub fn files(
    class: &ClaimClassSpec,
    binding: &ClaimBindingSpec,
    name: &str,
    inputs: &Inputs,
) -> Result<Option<Mount>, TemplateError> {
    let (Some(path), Some(secret)) = (&class.connection.mount_path, &binding.secret) else {
        return Ok(None);
    };
    let path = placeholders::fill_text(path, inputs).map_err(|error| error.below("connection.mountPath"))?;
    Ok(Some(Mount {
        name: name.to_owned(),
        path,
        source: MountSource::Secret(secret.clone()),
        read_only: true,
    }))
}

/// What the application's pods may connect to.
///
/// # Errors
/// When a namespace or label cannot be filled in, or an entry does not have exactly one destination.
pub fn egress(
    class: &ClaimClassSpec,
    namespace: &str,
    inputs: &Inputs,
) -> Result<Vec<Egress>, TemplateError> {
    let entries = class.connection.egress.iter().enumerate();
    entries
        .map(|(index, entry)| {
            let place = |field: &str| format!("connection.egress[{index}]{field}");
            let to = match (&entry.pods, &entry.host, &entry.range) {
                (Some(pods), None, None) => {
                    let fill = |field: &str, text: &str| {
                        placeholders::fill_text(text, inputs).map_err(|error| error.below(&place(field)))
                    };
                    let labels = pods.labels.iter().map(|(key, value)| {
                        let value = fill(&format!(".pods.labels[{key}]"), value)?;
                        Ok((key.clone(), value))
                    });
                    EgressPeer::Pods {
                        labels: labels.collect::<Result<_, TemplateError>>()?,
                        namespace: pods
                            .namespace
                            .as_ref()
                            .map_or_else(|| Ok(namespace.to_owned()), |text| fill(".pods.namespace", text))?,
                    }
                }
                (None, Some(host), None) => EgressPeer::Host(host.clone()),
                (None, None, Some(range)) => EgressPeer::Range(range.clone()),
                _ => {
                    let what = "must set exactly one of pods, host and range";
                    return Err(TemplateError::new(&place(""), what));
                }
            };
            Ok(Egress {
                to,
                ports: entry.ports.clone(),
            })
        })
        .collect()
}

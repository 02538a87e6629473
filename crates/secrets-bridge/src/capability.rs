//! The capability `secrets`: what `spec.secrets` of an application becomes. Pure.

use std::collections::BTreeMap;

use futures::{StreamExt, stream::BoxStream};
use idp_api::{
    EnvironmentSpec, SecretBindingSpec,
    environment::SecretDefaults,
    secret_binding::{BoundSecret, StoreRef},
    web_application::SecretUse,
};
use idp_core::{
    Problem,
    capability::{
        Binding, Description, EnvFrom, EnvSource, KeyRef, Mount, MountSource, SectionPlan, SectionRequest,
        ValueFrom,
    },
    hash,
};
use idp_rpc::capability::Capability;
use schemars::SchemaGenerator;
use serde::Deserialize;
use serde_json::json;

use crate::{checks, keys};

/// Name of the capability.
pub const CAPABILITY: &str = "secrets";
/// The property of a generated secret.
const GENERATED: &str = "password";
/// Longest name of a Secret of ours: it is a volume's name too.
const LONGEST: usize = 63;

/// The capability.
#[derive(Clone, Copy, Debug, Default)]
pub struct SecretsCapability;

impl Capability for SecretsCapability {
    fn describe(&self) -> Description {
        let mut schema = SchemaGenerator::default();
        Description {
            name: CAPABILITY.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            section_schema: schema.root_schema_for::<Vec<SecretUse>>().to_value(),
        }
    }

    fn plan(&self, request: &SectionRequest) -> SectionPlan {
        plan(request)
    }

    /// Never: all that a plan depends on is in the request.
    fn watch(&self) -> BoxStream<'static, Vec<String>> {
        futures::stream::pending().boxed()
    }
}

/// What a section becomes: one SecretBinding, and the variables and files that pods read.
pub fn plan(request: &SectionRequest) -> SectionPlan {
    let read = || -> Result<(Vec<SecretUse>, EnvironmentSpec), serde_json::Error> {
        Ok((
            Vec::deserialize(&request.section)?,
            EnvironmentSpec::deserialize(&request.environment_spec)?,
        ))
    };
    let (uses, environment) = match read() {
        Ok(read) => read,
        Err(error) => {
            let problem = Problem::error("InvalidSpec", format!("the section does not parse: {error}"));
            return SectionPlan::refused(vec![problem.at(&request.path).hint(
                "the versions of idp-webapp and idp-secrets-bridge differ: deploy both of one release",
            )]);
        }
    };
    let Some(defaults) = environment.secrets else {
        let message = format!("the Environment {} has no secret store", request.environment);
        return SectionPlan::refused(vec![
            Problem::error("NoSecretStore", message)
                .at(&request.path)
                .hint("the platform team sets secrets.store in the Environment"),
        ]);
    };
    let prefix = match keys::prefix(&defaults, &request.namespace, &request.application) {
        Ok(prefix) => prefix,
        Err(why) => {
            let message = format!(
                "secrets.prefix of the Environment {} cannot be used: {why}",
                request.environment
            );
            return SectionPlan::refused(vec![
                Problem::error("InvalidEnvironment", message)
                    .at(&request.path)
                    .hint("the platform team mends it, for instance to {namespace}/{application}/"),
            ]);
        }
    };
    let mut section = Section {
        request,
        defaults: &defaults,
        least: &environment.limits.secrets.least_interval,
        prefix,
        variables: BTreeMap::new(),
        plan: SectionPlan::default(),
        secrets: Vec::new(),
    };
    for (index, secret) in uses.iter().enumerate() {
        section.add(index, secret);
    }
    section.finish()
}

struct Section<'a> {
    request: &'a SectionRequest,
    defaults: &'a SecretDefaults,
    /// The Environment's least interval. That applications keep to it is checked with the rest of their spec, and again
    /// in the binding.
    least: &'a str,
    prefix: String,
    /// Names of variables that are taken, each with what has it.
    variables: BTreeMap<String, String>,
    plan: SectionPlan,
    secrets: Vec<BoundSecret>,
}

impl Section<'_> {
    fn add(&mut self, index: usize, secret: &SecretUse) {
        let path = format!("{}[{index}]", self.request.path);
        let target = hash::bounded_name(
            &self.request.application,
            &format!("secret-{}", secret.name),
            LONGEST,
        );
        if self.secrets.iter().any(|other| other.name == secret.name) {
            let message = format!("secret {} is there twice", secret.name);
            self.refuse(
                "Duplicate",
                message,
                format!("{path}.name"),
                "give each its own name",
            );
        }
        let problems = checks::templates(&secret.template, &path);
        self.plan.problems.extend(problems);
        let remote_key = match &secret.generate {
            Some(_) => None,
            None => Some(self.remote_key(secret, &path)),
        };
        match &secret.mount_path {
            Some(mount) => self.plan.mounts.push(Mount {
                name: hash::bounded_name("secret", &secret.name, LONGEST),
                path: mount.clone(),
                source: MountSource::Secret(target.clone()),
                read_only: true,
            }),
            None => self.variables(secret, &path, &target),
        }
        self.secrets.push(BoundSecret {
            name: secret.name.clone(),
            path,
            target,
            remote_key,
            properties: secret.keys.iter().map(|key| key.property.clone()).collect(),
            generate: secret.generate.clone(),
            template: secret.template.clone(),
            refresh_interval: secret
                .refresh_interval
                .clone()
                .unwrap_or_else(|| checks::longer(&self.defaults.refresh_interval, self.least)),
        });
    }

    fn remote_key(&mut self, secret: &SecretUse, path: &str) -> String {
        let written = secret.remote_key.as_ref().unwrap_or(&secret.name);
        let key = format!("{}{written}", self.prefix);
        let checked = keys::check(written).and_then(|()| keys::confined(&key, &self.prefix));
        if let Err(why) = checked {
            self.refuse(
                "InvalidRemoteKey",
                format!("{written:?} is no key of this application: {why}"),
                format!("{path}.remoteKey"),
                &format!(
                    "write the part after {}, such as database or payment/api-key",
                    self.prefix
                ),
            );
        }
        key
    }

    /// The variables that a secret becomes, in the order in which they are written.
    fn variables(&mut self, secret: &SecretUse, path: &str, target: &str) {
        if !secret.template.is_empty() {
            for name in secret.template.keys() {
                self.variable(name.clone(), target, name, format!("{path}.template.{name}"));
            }
        } else if !secret.keys.is_empty() {
            for (index, key) in secret.keys.iter().enumerate() {
                let name = key.env.clone().unwrap_or_else(|| keys::variable(&key.property));
                self.variable(name, target, &key.property, format!("{path}.keys[{index}]"));
            }
        } else if secret.generate.is_some() {
            let name = keys::variable(&secret.name);
            self.variable(name, target, GENERATED, format!("{path}.name"));
        } else {
            self.plan.env_from.push(EnvFrom {
                secret: target.to_owned(),
                prefix: String::new(),
            });
        }
    }

    fn variable(&mut self, name: String, secret: &str, key: &str, path: String) {
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty();
        if !is_name {
            let message = format!("{name:?} cannot be the name of a variable");
            let hint = "write letters, digits and '_', not beginning with a digit";
            self.refuse("InvalidSpec", message, path, hint);
            return;
        }
        if let Some(other) = self.variables.get(&name) {
            let message = format!("variable {name} is set by {other} already");
            self.refuse("VariableConflict", message, path, "write another name in env");
            return;
        }
        self.variables.insert(name.clone(), path);
        self.plan.env.push(EnvSource {
            name,
            from: ValueFrom::Secret(KeyRef {
                name: secret.to_owned(),
                key: key.to_owned(),
                optional: false,
            }),
        });
    }

    fn refuse(&mut self, reason: &'static str, message: String, path: String, hint: &str) {
        self.plan
            .problems
            .push(Problem::error(reason, message).at(path).hint(hint));
    }

    fn finish(mut self) -> SectionPlan {
        let spec = SecretBindingSpec {
            application: self.request.application.clone(),
            store: StoreRef {
                name: self.defaults.store.clone(),
                kind: self.defaults.kind.clone(),
            },
            secrets: self.secrets,
        };
        self.plan.bindings = vec![Binding {
            kind: "SecretBinding".to_owned(),
            name: self.request.application.clone(),
            spec: json!(spec),
        }];
        self.plan
    }
}

#[cfg(test)]
mod tests;

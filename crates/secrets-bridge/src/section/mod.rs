//! The plan of the section `secrets` of an application: a SecretBinding, environment variables and mounts. Pure: the
//! controller and the command line get the same result.

use std::collections::BTreeMap;

use idp_api::{
    EnvironmentSpec, SecretBindingSpec,
    environment::SecretDefaults,
    secret_binding::{BoundSecret, StoreRef},
    web_application::SecretUse,
};
use idp_core::{
    Problem, Reason,
    capability::{
        Binding, EnvFrom, EnvSource, KeyRef, Mount, MountSource, SectionPlan, SectionRequest, ValueFrom,
    },
    hash,
};
use schemars::SchemaGenerator;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    reasons,
    rules::{self, remote_key},
};

/// The property of a generated secret.
const GENERATED_PROPERTY: &str = "password";
/// Longest name of a Secret, in characters: it must fit a volume's name too.
const MAX_NAME_CHARS: usize = 63;

/// JSON schema of the section.
pub(crate) fn schema() -> Value {
    let mut schema = SchemaGenerator::default();
    schema.root_schema_for::<Vec<SecretUse>>().to_value()
}

/// Plans the section.
pub fn plan(request: &SectionRequest) -> SectionPlan {
    let parse = || -> Result<(Vec<SecretUse>, EnvironmentSpec), serde_json::Error> {
        Ok((
            Vec::deserialize(&request.section)?,
            EnvironmentSpec::deserialize(&request.environment_spec)?,
        ))
    };
    let (uses, environment) = match parse() {
        Ok(parsed) => parsed,
        Err(error) => {
            let message = format!("The section secrets cannot be read: {error}.");
            let problem = Problem::error(reasons::INVALID_SPEC, message).at(&request.path);
            return SectionPlan::refused(vec![problem.hint(
                "Ask the platform team to deploy idp-webapp and idp-secrets-bridge of the same release.",
            )]);
        }
    };
    let Some(defaults) = environment.secrets else {
        let message = format!("The Environment {} has no secret store.", request.environment);
        return SectionPlan::refused(vec![
            Problem::error(reasons::NO_SECRET_STORE, message).at(&request.path),
        ]);
    };
    let prefix = match remote_key::prefix(&defaults, &request.namespace, &request.application) {
        Ok(prefix) => prefix,
        Err(why) => {
            let message = format!(
                "secrets.prefix of the Environment {} cannot be used: {why}.",
                request.environment
            );
            return SectionPlan::refused(vec![
                Problem::error(reasons::INVALID_ENVIRONMENT, message).at(&request.path),
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
    /// The minimum interval of the Environment. The WebApplication controller checks it too, and so does the controller of
    /// SecretBindings.
    least: &'a str,
    prefix: String,
    /// Names of variables, each with the path of the secret that sets it.
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
            MAX_NAME_CHARS,
        );
        if self.secrets.iter().any(|other| other.name == secret.name) {
            let message = format!("Two secrets are named {}.", secret.name);
            self.reject(reasons::DUPLICATE, message, format!("{path}.name"), None);
        }
        let problems = rules::templates(&secret.template, &path);
        self.plan.problems.extend(problems);
        let remote_key = match &secret.generate {
            Some(_) => None,
            None => Some(self.remote_key(secret, &path)),
        };
        match &secret.mount_path {
            Some(mount) => self.plan.mounts.push(Mount {
                name: hash::bounded_name("secret", &secret.name, MAX_NAME_CHARS),
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
                .unwrap_or_else(|| rules::longer(&self.defaults.refresh_interval, self.least)),
        });
    }

    fn remote_key(&mut self, secret: &SecretUse, path: &str) -> String {
        let written = secret.remote_key.as_ref().unwrap_or(&secret.name);
        let key = format!("{}{written}", self.prefix);
        let checked = remote_key::check(written).and_then(|()| remote_key::confined(&key, &self.prefix));
        if let Err(why) = checked {
            let hint = format!(
                "Write the part after {}, such as database or payment/api-key.",
                self.prefix
            );
            self.reject(
                reasons::INVALID_REMOTE_KEY,
                format!("{written:?} is not a key of this application: {why}."),
                format!("{path}.remoteKey"),
                Some(hint),
            );
        }
        key
    }

    /// The variables of a secret, in their order in the spec.
    fn variables(&mut self, secret: &SecretUse, path: &str, target: &str) {
        if !secret.template.is_empty() {
            for name in secret.template.keys() {
                self.variable(name.clone(), target, name, format!("{path}.template.{name}"));
            }
        } else if !secret.keys.is_empty() {
            for (index, key) in secret.keys.iter().enumerate() {
                let name = key
                    .env
                    .clone()
                    .unwrap_or_else(|| remote_key::variable(&key.property));
                self.variable(name, target, &key.property, format!("{path}.keys[{index}]"));
            }
        } else if secret.generate.is_some() {
            let name = remote_key::variable(&secret.name);
            self.variable(name, target, GENERATED_PROPERTY, format!("{path}.name"));
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
            let message = format!("{name:?} is not a valid name of an environment variable.");
            let hint = "Write letters, digits and '_', not starting with a digit.".to_owned();
            self.reject(reasons::INVALID_SPEC, message, path, Some(hint));
            return;
        }
        if let Some(other) = self.variables.get(&name) {
            let message = format!("{other} sets the variable {name} already.");
            let hint = "Choose another name in env.".to_owned();
            self.reject(reasons::VARIABLE_CONFLICT, message, path, Some(hint));
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

    fn reject(&mut self, reason: Reason, message: String, path: String, hint: Option<String>) {
        let problem = Problem::error(reason, message).at(path);
        self.plan.problems.push(match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
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

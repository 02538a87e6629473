//! (binding, `Observed`) -> `Validated`. Pure.
//!
//! A binding is checked in full: tenants can create bindings in their namespaces, so it need not be the plan of the
//! capability.

use idp_api::{
    SecretBinding,
    secret_binding::{BoundSecret, StoreRef},
};
use idp_core::{Problem, labels};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;

use crate::{
    identity::NAME,
    observe::Observed,
    reasons,
    rules::{self, remote_key},
};

/// A binding whose secrets all belong to its application.
#[derive(Clone, Debug)]
pub(crate) struct Validated {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) application: String,
    pub(crate) store: StoreRef,
    pub(crate) secrets: Vec<BoundSecret>,
}

impl Validated {
    /// Name of the `ExternalSecret` of a secret. Names of secrets have no dots, so the binding's name can be read from it.
    pub(crate) fn external_secret(&self, secret: &BoundSecret) -> String {
        external_secret(&self.name, secret)
    }

    pub(crate) fn child_meta(&self, name: String) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.clone()),
            labels: Some(labels::for_child(&self.application, NAME)),
            ..ObjectMeta::default()
        }
    }
}

pub(crate) fn external_secret(binding: &str, secret: &BoundSecret) -> String {
    format!("{binding}.{}", secret.name)
}

pub(crate) fn validate(binding: &SecretBinding, observed: &Observed) -> Result<Validated, Vec<Problem>> {
    let spec = &binding.spec;
    let (name, namespace) = (binding.name_any(), binding.namespace().unwrap_or_default());
    if let Some(Err(error)) = observed.environments.iter().find(|read| read.is_err()) {
        return Err(vec![
            Problem::error(reasons::ENVIRONMENT_UNREADABLE, format!("{error}."))
                .at("spec.secrets")
                .hint("Ask the platform team to fix the field. Existing secrets are unchanged."),
        ]);
    }
    let [Ok(Some((defaults, limits)))] = &observed.environments[..] else {
        let message = "The cluster does not have exactly one Environment with a secret store.";
        return Err(vec![
            Problem::error(reasons::NO_SECRET_STORE, message).at("spec.secrets"),
        ]);
    };
    let mut problems = Vec::new();
    let own_store = (&defaults.store, &defaults.kind);
    if (&spec.store.name, &spec.store.kind) != own_store {
        let message = format!(
            "{} {} is not the secret store of the Environment.",
            spec.store.kind, spec.store.name
        );
        problems.push(
            Problem::error(reasons::STORE_NOT_ALLOWED, message)
                .at("spec.secrets")
                .hint(format!("Use {} {}.", own_store.1, own_store.0)),
        );
    }
    let prefix = remote_key::prefix(defaults, &namespace, &spec.application);
    for secret in &spec.secrets {
        problems.extend(rules::templates(&secret.template, &secret.path));
        if secret.generate.is_none() {
            let path = format!("{}.refreshInterval", secret.path);
            problems.extend(rules::interval(
                &secret.refresh_interval,
                &limits.least_interval,
                &path,
            ));
        }
        let Some(key) = &secret.remote_key else { continue };
        let checked = prefix
            .as_ref()
            .map_err(|why| *why)
            .and_then(|prefix| remote_key::confined(key, prefix));
        if let Err(why) = checked {
            let message = format!("The secret {} may not read {key:?}: {why}.", secret.name);
            problems.push(
                Problem::error(reasons::INVALID_REMOTE_KEY, message)
                    .at(format!("{}.remoteKey", secret.path))
                    .hint(format!(
                        "Write a key below {}.",
                        prefix.as_deref().unwrap_or(&defaults.prefix)
                    )),
            );
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Validated {
        name,
        namespace,
        application: spec.application.clone(),
        store: spec.store.clone(),
        secrets: spec.secrets.clone(),
    })
}

#[cfg(test)]
mod tests {
    use idp_api::{
        SecretBindingSpec,
        environment::{SecretDefaults, SecretsLimits},
    };

    use super::*;

    fn binding(key: &str, store: &str) -> SecretBinding {
        let spec = SecretBindingSpec {
            application: "shop".into(),
            store: StoreRef {
                name: store.into(),
                kind: "ClusterSecretStore".into(),
            },
            secrets: vec![BoundSecret {
                name: "db".into(),
                path: "spec.secrets[0]".into(),
                target: "shop-db".into(),
                remote_key: Some(key.into()),
                refresh_interval: "1h".into(),
                ..BoundSecret::default()
            }],
        };
        let mut binding = SecretBinding::new("shop", spec);
        binding.metadata.namespace = Some("team-a".into());
        binding
    }

    fn observed() -> Observed {
        Observed {
            environments: vec![Ok(Some((
                SecretDefaults {
                    store: "aws".into(),
                    kind: "ClusterSecretStore".into(),
                    prefix: "{namespace}/{application}/".into(),
                    refresh_interval: "1h".into(),
                },
                SecretsLimits::default(),
            )))],
            ..Observed::default()
        }
    }

    #[test]
    fn a_binding_reads_only_below_its_own_prefix() {
        assert!(validate(&binding("team-a/shop/db", "aws"), &observed()).is_ok());
        for key in ["team-b/shop/db", "team-a/shop/../../team-b/db", "db"] {
            let problems = validate(&binding(key, "aws"), &observed()).unwrap_err();
            assert_eq!(problems[0].reason, "InvalidRemoteKey", "{key}");
        }
    }

    #[test]
    fn templates_and_intervals_of_a_binding_are_checked_too() {
        let mut evil = binding("team-a/shop/db", "aws");
        let template = r#"{{ getSecretKey "db" "victim" "password" }}"#;
        evil.spec.secrets[0].template = [("STOLEN".to_owned(), template.to_owned())].into();
        evil.spec.secrets[0].refresh_interval = "1s".into();
        let problems = validate(&evil, &observed()).unwrap_err();
        let seen: Vec<_> = problems
            .iter()
            .map(|problem| (problem.reason.as_str(), problem.path.as_deref().unwrap()))
            .collect();
        assert_eq!(
            seen,
            [
                ("TemplateFunctionNotAllowed", "spec.secrets[0].template.STOLEN"),
                ("LimitExceeded", "spec.secrets[0].refreshInterval"),
            ]
        );
    }

    #[test]
    fn an_unreadable_environment_is_not_one_without_a_store() {
        let mut observed = observed();
        observed.environments = vec![Err("Environment x cannot be read: spec.secrets.store: …".into())];
        let problems = validate(&binding("team-a/shop/db", "aws"), &observed).unwrap_err();
        assert_eq!(problems[0].reason, "EnvironmentUnreadable");
    }

    #[test]
    fn a_binding_uses_only_the_environments_store() {
        let problems = validate(&binding("team-a/shop/db", "other"), &observed()).unwrap_err();
        assert_eq!(problems[0].reason, "StoreNotAllowed");
    }
}

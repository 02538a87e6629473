//! The Environment's settings for certificates, and the check of a binding against them. Pure.

use std::sync::Arc;

use idp_api::{
    CertificateBinding,
    environment::{GatewayMode, HostPolicy, Tenant},
};
use idp_core::{ObjectKey, Problem};
use serde_json::Value;

use crate::{
    certificate_request::requirements::Issuer,
    facts,
    reasons::{
        CERTIFICATES_NOT_ORDERED, ENVIRONMENT_AMBIGUOUS, ENVIRONMENT_MISSING, ENVIRONMENT_UNREADABLE,
        HOST_NOT_ALLOWED, NOT_THE_ENVIRONMENTS_ISSUER, NOT_THE_GATEWAYS_NAMESPACE,
    },
    rules::Requester,
};

/// The settings for certificates of the cluster's Environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnvironmentSettings {
    /// Name of the Environment.
    pub environment: String,
    /// Base domain of the applications' hosts.
    pub base_domain: String,
    /// Which hosts namespaces may use.
    pub hosts: HostPolicy,
    /// Namespace of the gateway and of its certificates.
    pub gateway: String,
    /// Whether each application has its own Gateway: only then does the platform order certificates for its hosts.
    pub mode: GatewayMode,
    /// The issuer, if there is one.
    pub issuer: Option<Issuer>,
}

impl EnvironmentSettings {
    /// The settings of the only Environment.
    ///
    /// # Errors
    /// The problem, if there is not exactly one, or it cannot be read.
    pub fn of(environments: &[(ObjectKey, Arc<Value>)]) -> Result<Self, Problem> {
        let (key, facts) = match environments {
            [one] => one,
            [] => {
                return Err(Problem::error(
                    ENVIRONMENT_MISSING,
                    "The cluster has no Environment.",
                ));
            }
            _ => {
                return Err(Problem::error(
                    ENVIRONMENT_AMBIGUOUS,
                    "The cluster has more than one Environment.",
                ));
            }
        };
        let read = facts::environment_facts(facts).map_err(|error| {
            Problem::error(
                ENVIRONMENT_UNREADABLE,
                format!("Environment {} cannot be read: {error}.", key.name),
            )
        })?;
        Ok(Self {
            environment: key.name.clone(),
            issuer: read.issuer(),
            base_domain: read.base_domain,
            hosts: read.hosts,
            gateway: read.gateway.namespace,
            mode: read.gateway.mode,
        })
    }

    /// Checks `binding`, which a tenant may have written: it must use the gateway's namespace and the Environment's issuer,
    /// and its hosts must be allowed in routes of its namespace.
    pub fn check(
        &self,
        binding: &CertificateBinding,
        issuer: &Issuer,
        requester: &Requester,
    ) -> Vec<Problem> {
        if self.mode != GatewayMode::Dedicated {
            return vec![not_ordered(&self.environment, self.mode)];
        }
        let mut problems = Vec::new();
        let wanted = &binding.spec.secret_namespace;
        if *wanted != self.gateway {
            problems.push(
                Problem::error(
                    NOT_THE_GATEWAYS_NAMESPACE,
                    format!(
                        "Certificates of routes are written only to the gateway's namespace {}, not to {wanted}.",
                        self.gateway
                    ),
                )
                .at("spec.secretNamespace"),
            );
        }
        match &self.issuer {
            Some(named) if named == issuer => {}
            Some(named) => problems.push(
                Problem::error(
                    NOT_THE_ENVIRONMENTS_ISSUER,
                    format!("Certificates of routes are issued only by {named}, not by {issuer}."),
                )
                .at("spec.issuer"),
            ),
            None => problems.push(
                Problem::error(
                    NOT_THE_ENVIRONMENTS_ISSUER,
                    format!("Environment {} has no certificate issuer.", self.environment),
                )
                .at("spec.issuer")
                .hint("Ask the platform team to set spec.certificates in the Environment."),
            ),
        }
        let denied = binding
            .spec
            .hosts
            .iter()
            .filter(|bound| !self.allows_host(&bound.host, requester));
        problems.extend(denied.map(|bound| self.not_allowed(&bound.host, &bound.path, requester)));
        problems
    }

    /// Whether the Environment allows the namespace to use the host.
    pub fn allows_host(&self, host: &str, requester: &Requester) -> bool {
        let tenant = Tenant {
            namespace: &requester.namespace,
            labels: &requester.labels,
        };
        self.hosts.check(host, None, &self.base_domain, tenant).is_ok()
    }

    fn not_allowed(&self, host: &str, path: &str, requester: &Requester) -> Problem {
        let namespace = &requester.namespace;
        let message = format!("Namespace {namespace} is not allowed to use host {host}.");
        Problem::error(HOST_NOT_ALLOWED, message).at(path).hint(format!(
            "Use a host one label below {}, or ask the platform team to add the host for namespace {namespace} to \
             hosts.allowed of Environment {}.",
            self.base_domain, self.environment
        ))
    }

    /// Whether `binding` uses the gateway's namespace and the Environment's issuer.
    pub fn allows(&self, binding: &CertificateBinding, issuer: &Issuer) -> bool {
        self.mode == GatewayMode::Dedicated
            && binding.spec.secret_namespace == self.gateway
            && self.issuer.as_ref() == Some(issuer)
    }
}

/// Where applications share a gateway, the platform orders no certificates for them.
pub(crate) fn not_ordered(environment: &str, mode: GatewayMode) -> Problem {
    Problem::error(
        CERTIFICATES_NOT_ORDERED,
        format!(
            "Environment {environment} has gateway.mode {mode:?}, so the platform orders no certificates for \
             applications."
        ),
    )
}

#[cfg(test)]
mod tests {
    use idp_api::{
        CertificateBindingSpec,
        certificate_binding::{BoundHost, IssuerRef},
    };
    use kube::core::DynamicObject;
    use serde_json::json;

    use super::*;

    fn environment(name: &str, spec: &Value) -> (ObjectKey, Arc<Value>) {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "idp.dev/v1alpha1", "kind": "Environment", "metadata": {"name": name}, "spec": spec,
        }))
        .unwrap();
        (ObjectKey::new("", name), Arc::new(facts::environment(&object)))
    }

    fn binding(issuer: &str, namespace: &str) -> (CertificateBinding, Issuer) {
        let spec = CertificateBindingSpec {
            application: "steal".into(),
            issuer: IssuerRef {
                name: issuer.into(),
                kind: "ClusterIssuer".into(),
            },
            secret_namespace: namespace.into(),
            hosts: vec![BoundHost {
                host: "victim.idp.localhost".into(),
                path: "x".into(),
            }],
        };
        let named = Issuer {
            name: issuer.into(),
            kind: "ClusterIssuer".into(),
            group: String::new(),
        };
        (CertificateBinding::new("steal", spec), named.completed())
    }

    #[test]
    fn a_binding_chooses_neither_namespace_nor_issuer() {
        let local = environment(
            "local",
            &json!({"baseDomain": "idp.localhost", "certificates": {"issuer": "ca"}}),
        );
        let settings = EnvironmentSettings::of(&[local]).unwrap();
        let reasons = |issuer: &str, namespace: &str| {
            let (binding, issuer) = binding(issuer, namespace);
            let problems = settings.check(&binding, &issuer, &Requester::default());
            assert_eq!(problems.is_empty(), settings.allows(&binding, &issuer));
            assert!(problems.iter().all(|problem| problem.hint.is_some()));
            problems
                .into_iter()
                .map(|problem| problem.reason)
                .collect::<Vec<_>>()
        };
        assert!(reasons("ca", "istio-system").is_empty());
        for namespace in ["sec-10", "kube-system", "idp-system", "istio-system2", ""] {
            assert_eq!(
                reasons("ca", namespace),
                [NOT_THE_GATEWAYS_NAMESPACE],
                "{namespace}"
            );
        }
        assert_eq!(
            reasons("local-root", "istio-system"),
            [NOT_THE_ENVIRONMENTS_ISSUER]
        );
        assert_eq!(reasons("local-root", "sec-10").len(), 2);
        // A binding cannot have a host that routes cannot have.
        let (mut binding, issuer) = binding("ca", "istio-system");
        for host in ["www.bank.org", "*.idp.localhost", "kubernetes.default.svc"] {
            binding.spec.hosts[0].host = host.into();
            let problems = settings.check(&binding, &issuer, &Requester::default());
            assert_eq!(problems[0].reason, HOST_NOT_ALLOWED, "{host}");
        }
    }

    #[test]
    fn with_a_shared_gateway_every_binding_is_rejected() {
        let shared = json!({
            "certificates": {"issuer": "letsencrypt"},
            "gateway": {"mode": "Shared", "shared": "istio-ingress/public", "namespace": "istio-ingress"},
        });
        let settings = EnvironmentSettings::of(&[environment("production", &shared)]).unwrap();
        let (binding, issuer) = binding("letsencrypt", "istio-ingress");
        assert_eq!(
            settings.check(&binding, &issuer, &Requester::default())[0].reason,
            CERTIFICATES_NOT_ORDERED
        );
        assert!(!settings.allows(&binding, &issuer));
    }

    #[test]
    fn an_unreadable_environment_is_not_a_missing_one() {
        let reason = |environments: &[(ObjectKey, Arc<Value>)]| {
            EnvironmentSettings::of(environments).unwrap_err().reason
        };
        let good = environment("a", &json!({}));
        let bad = environment("b", &json!({"gateway": {"mode": "Other"}}));
        assert_eq!(reason(&[]), ENVIRONMENT_MISSING);
        assert_eq!(reason(&[good.clone(), bad.clone()]), ENVIRONMENT_AMBIGUOUS);
        assert_eq!(reason(&[bad]), ENVIRONMENT_UNREADABLE);
        let settings = EnvironmentSettings::of(&[good]).unwrap();
        let (binding, issuer) = binding("ca", "istio-system");
        assert_eq!(
            settings.check(&binding, &issuer, &Requester::default())[0].reason,
            NOT_THE_ENVIRONMENTS_ISSUER
        );
    }
}

//! What the cluster's Environment says of certificates, and what a binding must say because of it. Pure.

use std::sync::Arc;

use idp_api::{
    CertificateBinding,
    environment::{GatewayMode, HostPolicy, Tenant},
};
use idp_core::Problem;
use idp_runtime::ObjectKey;
use serde_json::Value;

use crate::{certificate_request::requirements::Issuer, facts, rules::Asker};

/// Reason: the cluster has no Environment.
pub const ENVIRONMENT_MISSING: &str = "EnvironmentMissing";
/// Reason: the cluster has several Environments.
pub const ENVIRONMENT_AMBIGUOUS: &str = "EnvironmentAmbiguous";
/// Reason: the cluster's Environment cannot be read.
pub const ENVIRONMENT_UNREADABLE: &str = "EnvironmentUnreadable";
/// Reason: the Environment has no certificates ordered for applications.
pub const NOT_ORDERED: &str = "CertificatesNotOrdered";
/// Reason: the binding names another namespace than the gateway's.
pub const NOT_THE_GATEWAYS: &str = "NotTheGatewaysNamespace";
/// Reason: the binding names another issuer than the Environment's.
pub const NOT_THE_ISSUER: &str = "NotTheEnvironmentsIssuer";

/// Reason: the Environment does not give the host to the binding's namespace.
pub const HOST_NOT_ALLOWED: &str = "HostNotAllowed";

/// What the cluster's Environment says of certificates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    /// Name of the Environment.
    pub environment: String,
    /// Domain of the applications' hosts.
    pub base_domain: String,
    /// Which hosts namespaces may have.
    pub hosts: HostPolicy,
    /// Namespace of the gateway, where its certificates are.
    pub gateway: String,
    /// Whether each application has a Gateway of its own: only then certificates are ordered for its hosts.
    pub mode: GatewayMode,
    /// Who signs, if anybody.
    pub issuer: Option<Issuer>,
}

impl Terms {
    /// The terms of the one Environment among these facts.
    ///
    /// # Errors
    /// The problem: there is none, there are several, or it cannot be read.
    pub fn of(environments: &[(ObjectKey, Arc<Value>)]) -> Result<Self, Problem> {
        let (key, facts) = match environments {
            [one] => one,
            [] => {
                return Err(
                    Problem::error(ENVIRONMENT_MISSING, "the cluster has no Environment")
                        .hint("ask the platform team to apply one: kubectl apply -f environment.yaml"),
                );
            }
            _ => {
                return Err(
                    Problem::error(ENVIRONMENT_AMBIGUOUS, "the cluster has several Environments")
                        .hint("ask the platform team to delete all but one"),
                );
            }
        };
        let read = facts::environment_facts(facts).map_err(|error| {
            Problem::error(
                ENVIRONMENT_UNREADABLE,
                format!("Environment {} cannot be read: {error}", key.name),
            )
            .hint("ask the platform team to fix it, or to deploy the version of the controllers that it was written for")
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

    /// What is wrong with `binding`, whoever wrote it: where Secrets are written and who signs is not its choice, and its
    /// hosts are those that routes of its namespace could have.
    pub fn check(&self, binding: &CertificateBinding, issuer: &Issuer, asker: &Asker) -> Vec<Problem> {
        if self.mode != GatewayMode::Dedicated {
            return vec![not_ordered(&self.environment, self.mode)];
        }
        let mut problems = Vec::new();
        let wanted = &binding.spec.secret_namespace;
        if *wanted != self.gateway {
            problems.push(
                Problem::error(
                    NOT_THE_GATEWAYS,
                    format!(
                        "certificates of routes are written to namespace {} alone, where the gateway is, and not to {wanted}",
                        self.gateway
                    ),
                )
                .at("spec.secretNamespace")
                .hint(FROM_ROUTES),
            );
        }
        match &self.issuer {
            Some(named) if named == issuer => {}
            Some(named) => problems.push(
                Problem::error(
                    NOT_THE_ISSUER,
                    format!("certificates of routes come from {named} alone, and not from {issuer}"),
                )
                .at("spec.issuer")
                .hint(FROM_ROUTES),
            ),
            None => problems.push(
                Problem::error(
                    NOT_THE_ISSUER,
                    format!("Environment {} has no certificate issuer", self.environment),
                )
                .at("spec.issuer")
                .hint("ask the platform team to set spec.certificates of the Environment"),
            ),
        }
        let denied = binding
            .spec
            .hosts
            .iter()
            .filter(|bound| !self.gives(&bound.host, asker));
        problems.extend(denied.map(|bound| self.not_allowed(&bound.host, &bound.path, asker)));
        problems
    }

    /// Whether the Environment gives the host to the namespace.
    pub fn gives(&self, host: &str, asker: &Asker) -> bool {
        let tenant = Tenant {
            namespace: &asker.namespace,
            labels: &asker.labels,
        };
        self.hosts.check(host, None, &self.base_domain, tenant).is_ok()
    }

    fn not_allowed(&self, host: &str, path: &str, asker: &Asker) -> Problem {
        let namespace = &asker.namespace;
        let message = format!("namespace {namespace} may not have host {host}");
        Problem::error(HOST_NOT_ALLOWED, message).at(path).hint(format!(
            "write a name one label below {}, or ask the platform team to list the host for namespace {namespace} in \
             hosts.allowed of Environment {}",
            self.base_domain, self.environment
        ))
    }

    /// Whether `binding` is as the Environment says.
    pub fn allow(&self, binding: &CertificateBinding, issuer: &Issuer) -> bool {
        self.mode == GatewayMode::Dedicated
            && binding.spec.secret_namespace == self.gateway
            && self.issuer.as_ref() == Some(issuer)
    }
}

/// What whoever wrote a binding by hand can do.
const FROM_ROUTES: &str = "do not write CertificateBindings by hand: name the host in spec.routes of a WebApplication, and \
                           the platform makes the binding; what the Environment says, the platform team can change";

/// Nobody orders certificates for applications where they share a Gateway.
pub fn not_ordered(environment: &str, mode: GatewayMode) -> Problem {
    Problem::error(
        NOT_ORDERED,
        format!(
            "no certificates are ordered for applications in Environment {environment}: its gateway.mode is {mode:?}, so \
             the certificates are the gateway's own"
        ),
    )
    .hint("name the host in spec.routes: the gateway has its certificate already")
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
    fn a_binding_chooses_neither_where_secrets_are_nor_who_signs() {
        let local = environment(
            "local",
            &json!({"baseDomain": "idp.localhost", "certificates": {"issuer": "ca"}}),
        );
        let terms = Terms::of(&[local]).unwrap();
        let reasons = |issuer: &str, namespace: &str| {
            let (binding, issuer) = binding(issuer, namespace);
            let problems = terms.check(&binding, &issuer, &Asker::default());
            assert_eq!(problems.is_empty(), terms.allow(&binding, &issuer));
            assert!(problems.iter().all(|problem| problem.hint.is_some()));
            problems
                .into_iter()
                .map(|problem| problem.reason)
                .collect::<Vec<_>>()
        };
        assert!(reasons("ca", "istio-system").is_empty());
        for namespace in ["sec-10", "kube-system", "idp-system", "istio-system2", ""] {
            assert_eq!(reasons("ca", namespace), [NOT_THE_GATEWAYS], "{namespace}");
        }
        assert_eq!(reasons("local-root", "istio-system"), [NOT_THE_ISSUER]);
        assert_eq!(reasons("local-root", "sec-10").len(), 2);
        // What routes could not have, a binding cannot have either.
        let (mut binding, issuer) = binding("ca", "istio-system");
        for host in ["www.bank.org", "*.idp.localhost", "kubernetes.default.svc"] {
            binding.spec.hosts[0].host = host.into();
            let problems = terms.check(&binding, &issuer, &Asker::default());
            assert_eq!(problems[0].reason, HOST_NOT_ALLOWED, "{host}");
        }
    }

    #[test]
    fn with_a_shared_gateway_no_binding_is_carried_out() {
        let shared = json!({
            "certificates": {"issuer": "letsencrypt"},
            "gateway": {"mode": "Shared", "shared": "istio-ingress/public", "namespace": "istio-ingress"},
        });
        let terms = Terms::of(&[environment("production", &shared)]).unwrap();
        let (binding, issuer) = binding("letsencrypt", "istio-ingress");
        assert_eq!(
            terms.check(&binding, &issuer, &Asker::default())[0].reason,
            NOT_ORDERED
        );
        assert!(!terms.allow(&binding, &issuer));
    }

    #[test]
    fn an_environment_that_cannot_be_read_is_not_none() {
        let reason = |environments: &[(ObjectKey, Arc<Value>)]| Terms::of(environments).unwrap_err().reason;
        let good = environment("a", &json!({}));
        let bad = environment("b", &json!({"gateway": {"mode": "Other"}}));
        assert_eq!(reason(&[]), ENVIRONMENT_MISSING);
        assert_eq!(reason(&[good.clone(), bad.clone()]), ENVIRONMENT_AMBIGUOUS);
        assert_eq!(reason(&[bad]), ENVIRONMENT_UNREADABLE);
        let terms = Terms::of(&[good]).unwrap();
        let (binding, issuer) = binding("ca", "istio-system");
        assert_eq!(
            terms.check(&binding, &issuer, &Asker::default())[0].reason,
            NOT_THE_ISSUER
        );
    }
}

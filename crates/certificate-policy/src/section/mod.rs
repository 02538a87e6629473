//! The plan of an application's hosts: one CertificateBinding, the names of the Secrets, and problems. Pure, so the
//! capability and `idp-cli render` return the same plan.

use std::collections::BTreeMap;

use idp_api::{
    CertificateBindingSpec,
    certificate_binding::{BoundHost, IssuerRef},
    environment::GatewayMode,
    kinds::CERTIFICATE_BINDING,
};
use idp_core::{
    Problem,
    capability::{Binding, SectionPlan, SectionRequest},
    names::DnsName,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::{
    certificate_request::requirements::Issuer,
    environment::not_ordered,
    host_claim::Holder,
    problems::{denied, host_taken, not_allowed_any_more},
    reasons::{INVALID_SECTION, NO_ISSUER},
    rules::{self, Policy, Requester},
    secret,
};

/// The section: hosts that need a certificate from the platform.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    /// The hosts; a host that several routes share may be listed several times.
    pub hosts: Vec<SectionHost>,
}

/// A host of the section.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SectionHost {
    /// The full host name, in lower case.
    pub host: String,
    /// The field of the application that names it, for problems.
    pub path: String,
}

/// The fields of an Environment that the plan needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Environment {
    certificates: Option<Certificates>,
    gateway: Gateway,
}

#[derive(Deserialize)]
struct Certificates {
    issuer: String,
    kind: String,
}

#[derive(Deserialize)]
struct Gateway {
    namespace: String,
    #[serde(default)]
    mode: GatewayMode,
}

/// What a plan depends on besides the request and the hosts' state.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// All policies, by name.
    pub policies: Vec<Policy>,
    /// Labels of the application's namespace.
    pub labels: BTreeMap<String, String>,
}

/// State of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownHost {
    /// The object of another application that holds it.
    pub holder: Option<Holder>,
    /// Whether the application already has its certificate: then it keeps it, even if no policy allows it any more.
    pub has_certificate: bool,
}

/// The plan of a section. `host_state` returns the state of a host (first argument) at the gateway of a namespace (second).
pub fn plan(
    request: &SectionRequest,
    known: &Known,
    host_state: impl Fn(&str, &str) -> KnownHost,
) -> SectionPlan {
    match read(request) {
        Ok(Some(wanted)) => plan_hosts(request, wanted, known, host_state),
        Ok(None) => SectionPlan::default(),
        Err(problem) => SectionPlan::refused(vec![*problem]),
    }
}

/// A request for certificates, parsed.
struct Wanted {
    hosts: Vec<SectionHost>,
    issuer: Issuer,
    /// Namespace of the gateway.
    gateway: String,
}

/// Parses the request. `None` if the section has no hosts: then it needs no issuer.
fn read(request: &SectionRequest) -> Result<Option<Wanted>, Box<Problem>> {
    let invalid = |what: &str, error: serde_json::Error| {
        Box::new(
            Problem::error(INVALID_SECTION, format!("{what} cannot be read: {error}."))
                .at(request.path.clone()),
        )
    };
    let section = Section::deserialize(&request.section).map_err(|e| invalid("The section", e))?;
    let Some(first) = section.hosts.first() else {
        return Ok(None);
    };
    let environment =
        Environment::deserialize(&request.environment_spec).map_err(|e| invalid("The Environment", e))?;
    // Only then does the platform order certificates for applications.
    if environment.gateway.mode != GatewayMode::Dedicated {
        let problem = not_ordered(&request.environment, environment.gateway.mode);
        return Err(Box::new(problem.at(&first.path)));
    }
    let Some(certificates) = environment.certificates else {
        return Err(Box::new(no_issuer(&request.environment, &first.path)));
    };
    Ok(Some(Wanted {
        hosts: section.hosts,
        issuer: Issuer::of_cert_manager(certificates.issuer, certificates.kind),
        gateway: environment.gateway.namespace,
    }))
}

fn no_issuer(environment: &str, path: &str) -> Problem {
    Problem::error(
        NO_ISSUER,
        format!("Environment {environment} has no certificate issuer."),
    )
    .at(path)
}

/// The plan of a section with hosts.
fn plan_hosts(
    request: &SectionRequest,
    wanted: Wanted,
    known: &Known,
    host_state: impl Fn(&str, &str) -> KnownHost,
) -> SectionPlan {
    let Wanted {
        hosts,
        issuer,
        gateway,
    } = wanted;
    let requester = Requester {
        namespace: request.namespace.clone(),
        labels: known.labels.clone(),
    };
    let mut plan = SectionPlan::default();
    let mut bound: BTreeMap<String, BoundHost> = BTreeMap::new();
    for SectionHost { host, path } in hosts {
        let Ok(name) = DnsName::parse(&host) else {
            plan.problems.push(
                Problem::error(INVALID_SECTION, format!("{host} is not a host name."))
                    .at(path)
                    .hint("Use a host name such as shop.example.com."),
            );
            continue;
        };
        let host = name.to_string();
        let secret = secret::name(&host);
        let KnownHost {
            holder,
            has_certificate,
        } = host_state(&host, &gateway);
        if let Some(holder) = holder {
            plan.problems.push(host_taken(&host, &path, &holder));
        } else if let Err(denial) = rules::plan(&known.policies, &requester, &issuer, &host, &secret) {
            plan.problems.push(if has_certificate {
                not_allowed_any_more(&host, &path, &denial)
            } else {
                denied(&host, &path, &denial)
            });
        }
        plan.outputs.insert(host.clone(), secret);
        bound.entry(host.clone()).or_insert(BoundHost { host, path });
    }
    let spec = CertificateBindingSpec {
        application: request.application.clone(),
        issuer: IssuerRef {
            name: issuer.name,
            kind: issuer.kind,
        },
        secret_namespace: gateway,
        hosts: bound.into_values().collect(),
    };
    plan.bindings.push(Binding {
        kind: CERTIFICATE_BINDING.kind.to_owned(),
        name: request.application.clone(),
        spec: json!(spec),
    });
    plan
}

#[cfg(test)]
mod tests;

//! What the hosts of an application become: one CertificateBinding, the names of the Secrets, and problems. Pure: the
//! same answer for the controllers and the command line.

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
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::{
    certificate_request::requirements::Issuer,
    environment::not_ordered,
    host_claim::Holder,
    problems::{host_taken, not_allowed_any_more},
    rules::{self, Asker, Policy},
    secret,
};
use idp_core::names::DnsName;

/// The section: hosts whose certificates the platform orders.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    /// The hosts; one that several routes share may come several times.
    pub hosts: Vec<SectionHost>,
}

/// A host of the section.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SectionHost {
    /// The complete name, in small letters.
    pub host: String,
    /// Where the application names it: problems point there.
    pub path: String,
}

/// What the capability needs of an Environment.
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

/// What a plan depends on besides the request.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// All policies, by name.
    pub policies: Vec<Policy>,
    /// Labels of the application's namespace.
    pub labels: BTreeMap<String, String>,
}

/// What is known of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownHost {
    /// What of another application holds it.
    pub holder: Option<Holder>,
    /// Whether the application has its certificate already: then it is kept, whatever policies say now.
    pub has_certificate: bool,
}

/// Reason of a request that is not as agreed.
const INVALID_SECTION: &str = "InvalidSection";
/// Reason of an Environment that names no issuer.
const NO_ISSUER: &str = "NoIssuer";

/// What the section becomes. `look` says what is known of a host behind the gateway of a namespace, in this order.
pub fn plan(request: &SectionRequest, known: &Known, look: impl Fn(&str, &str) -> KnownHost) -> SectionPlan {
    match read(request) {
        Ok(Some(wanted)) => judged(request, wanted, known, look),
        Ok(None) => SectionPlan::default(),
        Err(problem) => SectionPlan::refused(vec![*problem]),
    }
}

/// A request for certificates, read.
struct Wanted {
    hosts: Vec<SectionHost>,
    issuer: Issuer,
    /// Namespace of the gateway.
    gateway: String,
}

/// Nothing where the section names no host: then it does not matter whether somebody signs.
fn read(request: &SectionRequest) -> Result<Option<Wanted>, Box<Problem>> {
    let invalid = |what: &str, error: serde_json::Error| {
        Box::new(
            Problem::error(INVALID_SECTION, format!("{what} cannot be read: {error}"))
                .at(request.path.clone())
                .hint("the controllers' versions do not fit each other: see what was deployed last"),
        )
    };
    let section = Section::deserialize(&request.section).map_err(|e| invalid("the section", e))?;
    let Some(first) = section.hosts.first() else {
        return Ok(None);
    };
    let environment =
        Environment::deserialize(&request.environment_spec).map_err(|e| invalid("the Environment", e))?;
    // Applications order nothing there, whatever way the section came here.
    if environment.gateway.mode != GatewayMode::Dedicated {
        let problem = not_ordered(&request.environment, environment.gateway.mode);
        return Err(Box::new(problem.at(&first.path)));
    }
    let Some(certificates) = environment.certificates else {
        return Err(Box::new(no_issuer(&request.environment, &first.path)));
    };
    let issuer = Issuer {
        name: certificates.issuer,
        kind: certificates.kind,
        group: String::new(),
    };
    Ok(Some(Wanted {
        hosts: section.hosts,
        issuer: issuer.completed(),
        gateway: environment.gateway.namespace,
    }))
}

fn no_issuer(environment: &str, path: &str) -> Problem {
    Problem::error(
        NO_ISSUER,
        format!("Environment {environment} names nobody who signs certificates"),
    )
    .at(path)
    .hint("the platform team sets spec.certificates, or write tls.mode Secret or None")
}

/// The plan of a section with hosts.
fn judged(
    request: &SectionRequest,
    wanted: Wanted,
    known: &Known,
    look: impl Fn(&str, &str) -> KnownHost,
) -> SectionPlan {
    let Wanted {
        hosts,
        issuer,
        gateway,
    } = wanted;
    let asker = Asker {
        namespace: request.namespace.clone(),
        labels: known.labels.clone(),
    };
    let mut plan = SectionPlan::default();
    let mut bound: BTreeMap<String, BoundHost> = BTreeMap::new();
    for SectionHost { host, path } in hosts {
        let Ok(name) = DnsName::parse(&host) else {
            plan.problems.push(
                Problem::error(INVALID_SECTION, format!("{host} is no host name"))
                    .at(path)
                    .hint("write a host name such as shop.example.com"),
            );
            continue;
        };
        let host = name.to_string();
        let secret = secret::name(&host);
        let KnownHost {
            holder,
            has_certificate,
        } = look(&host, &gateway);
        if let Some(holder) = holder {
            plan.problems.push(host_taken(&host, &path, &holder));
        } else if let Err(denial) = rules::plan(&known.policies, &asker, &issuer, &host, &secret) {
            plan.problems.push(if has_certificate {
                not_allowed_any_more(&host, &path, &denial)
            } else {
                denial.problem(&host, &path)
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

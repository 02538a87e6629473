//! The capability `certificates`: which hosts of an application may have certificates, and the names of their Secrets.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt, stream::BoxStream};
use idp_api::{
    CertificateBindingSpec,
    certificate_binding::{BoundHost, IssuerRef},
    kinds::{CERTIFICATE_BINDING, CERTIFICATE_POLICY},
};
use idp_core::{
    Problem,
    capability::{Binding, Description, SectionPlan, SectionRequest},
};
use idp_rpc::capability::Capability;
use idp_runtime::{Callers, ObjectKey, View, grpc::ANYONE};
use kube::ResourceExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::{
    binding::{CertificateBindingController, holder, host_taken, not_allowed_any_more},
    content::Issuer,
    kinds::NAMESPACE,
    knowledge::{self, Shared},
    names::DnsName,
    rules, secret,
};

/// Name of the capability.
pub const CAPABILITY: &str = "certificates";

/// Who may call what.
pub const CALLERS: Callers = &[
    ("Describe", ANYONE),
    ("Plan", &["idp-webapp"]),
    ("Watch", &["idp-webapp"]),
];

/// The section: hosts whose certificates the platform orders.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// The hosts; one that several routes share may come several times.
    pub hosts: Vec<SectionHost>,
}

/// A host of the section.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SectionHost {
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
}

/// The capability, answering from the caches of the controllers.
pub struct CertificateCapability {
    /// Policies, namespaces and Certificates.
    pub shared: Shared,
    /// Bindings.
    pub bindings: View<CertificateBindingController>,
}

/// Reason of a request that is not as agreed.
const INVALID_SECTION: &str = "InvalidSection";
/// Reason of an Environment that names no issuer.
const NO_ISSUER: &str = "NoIssuer";

impl Capability for CertificateCapability {
    fn describe(&self) -> Description {
        Description {
            name: CAPABILITY.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            section_schema: schemars::schema_for!(Section).to_value(),
        }
    }

    fn plan(&self, request: &SectionRequest) -> SectionPlan {
        self.answer(request)
            .unwrap_or_else(|problem| SectionPlan::refused(vec![*problem]))
    }

    fn watch(&self) -> BoxStream<'static, Vec<String>> {
        let policies = self.shared.changes(CERTIFICATE_POLICY).map(|_| Some(Vec::new()));
        let namespaces = self.shared.changes(NAMESPACE).map(|key| {
            // An empty name means any.
            Some(
                Some(key.name)
                    .filter(|name| !name.is_empty())
                    .into_iter()
                    .collect(),
            )
        });
        let hosts = Hosts::new(self.bindings.clone());
        let freed = self
            .bindings
            .changes(CERTIFICATE_BINDING)
            .map(move |key| hosts.freed(&key).then(Vec::new));
        futures::stream::select_all([policies.boxed(), namespaces.boxed(), freed.boxed()])
            .filter_map(|stale| async { stale })
            .boxed()
    }
}

impl CertificateCapability {
    fn answer(&self, request: &SectionRequest) -> Result<SectionPlan, Box<Problem>> {
        let invalid = |what: &str, error: serde_json::Error| {
            Box::new(
                Problem::error(INVALID_SECTION, format!("{what} cannot be read: {error}"))
                    .at(request.path.clone())
                    .hint("the controllers' versions do not fit each other: see what was deployed last"),
            )
        };
        let section = Section::deserialize(&request.section).map_err(|e| invalid("the section", e))?;
        if section.hosts.is_empty() {
            return Ok(SectionPlan::default());
        }
        let environment =
            Environment::deserialize(&request.environment_spec).map_err(|e| invalid("the Environment", e))?;
        let Some(certificates) = environment.certificates else {
            return Err(Box::new(
                Problem::error(
                    NO_ISSUER,
                    format!(
                        "Environment {} names nobody who signs certificates",
                        request.environment
                    ),
                )
                .at(section.hosts[0].path.clone())
                .hint("the platform team sets spec.certificates, or write tls.mode Secret or None"),
            ));
        };
        let issuer = Issuer {
            name: certificates.issuer.clone(),
            kind: certificates.kind.clone(),
            group: String::new(),
        };
        Ok(self.judged(
            request,
            section,
            &issuer.completed(),
            &environment.gateway.namespace,
        ))
    }

    /// The plan of a section with hosts.
    fn judged(
        &self,
        request: &SectionRequest,
        section: Section,
        issuer: &Issuer,
        gateway: &str,
    ) -> SectionPlan {
        let policies = knowledge::policies(&self.shared);
        let own = ObjectKey::new(request.namespace.clone(), request.application.clone());
        let asker = knowledge::asker(&request.namespace, &self.shared).unwrap_or_else(|| rules::Asker {
            namespace: request.namespace.clone(),
            ..rules::Asker::default()
        });
        let mut plan = SectionPlan::default();
        let mut bound: BTreeMap<String, BoundHost> = BTreeMap::new();
        for SectionHost { host, path } in section.hosts {
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
            if let Some(holder) = holder(&host, gateway, &own, &policies, &self.bindings, &self.shared)
                .filter(|holder| !self.same_application(holder, &own))
            {
                plan.problems.push(host_taken(&host, &path, &holder));
            } else if let Err(denial) = rules::plan(&policies, &asker, issuer, &host, &secret) {
                plan.problems
                    .push(if self.has_certificate(&own, gateway, &secret) {
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
                name: issuer.name.clone(),
                kind: issuer.kind.clone(),
            },
            secret_namespace: gateway.to_owned(),
            hosts: bound.into_values().collect(),
        };
        plan.bindings.push(Binding {
            kind: CERTIFICATE_BINDING.kind.to_owned(),
            name: request.application.clone(),
            spec: json!(spec),
        });
        plan
    }

    fn same_application(&self, holder: &ObjectKey, own: &ObjectKey) -> bool {
        let other = self.bindings.resource(holder);
        holder.namespace == own.namespace && other.is_some_and(|other| other.spec.application == own.name)
    }

    /// Whether the application's binding has the certificate already: then it is kept, whatever policies say now.
    fn has_certificate(&self, own: &ObjectKey, gateway: &str, secret: &str) -> bool {
        let binding = self.bindings.resource(own);
        let certificate = knowledge::certificate(gateway, secret, &self.shared);
        binding.zip(certificate).is_some_and(|(binding, certificate)| {
            certificate.is_issued() && certificate.owner_uid == binding.uid()
        })
    }
}

/// The hosts that each binding named last: when one is let go, others may have it. That a binding's status changes
/// concerns no plan.
struct Hosts {
    view: View<CertificateBindingController>,
    known: Arc<Mutex<BTreeMap<ObjectKey, BTreeSet<String>>>>,
}

impl Hosts {
    fn new(view: View<CertificateBindingController>) -> Self {
        let known = view.resources().into_iter();
        let known = known.map(|binding| (ObjectKey::of(binding.as_ref()), hosts(&binding)));
        Self {
            known: Arc::new(Mutex::new(known.collect())),
            view,
        }
    }

    /// Whether `changed` names fewer hosts than before; an empty key means that any binding may.
    fn freed(&self, changed: &ObjectKey) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if changed.name.is_empty() {
            let all = self.view.resources().into_iter();
            *known = all
                .map(|binding| (ObjectKey::of(binding.as_ref()), hosts(&binding)))
                .collect();
            return true;
        }
        let now = self.view.resource(changed).map(|binding| hosts(&binding));
        let before = match &now {
            Some(now) => known.insert(changed.clone(), now.clone()),
            None => known.remove(changed),
        };
        let now = now.unwrap_or_default();
        before.is_some_and(|before| !before.is_subset(&now))
    }
}

fn hosts(binding: &idp_api::CertificateBinding) -> BTreeSet<String> {
    binding
        .spec
        .hosts
        .iter()
        .map(|bound| bound.host.clone())
        .collect()
}

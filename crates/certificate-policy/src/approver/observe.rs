//! Reads the caches: resource -> [`Observed`].

use idp_api::CertificateBinding;
use idp_core::{ObjectKey, Problem};
use idp_runtime::{ObserveError, View};
use kube::ResourceExt;

use crate::{
    certificate_request::{
        ownership,
        requirements::{Names, Rejection, Requirements},
        requirements_from_spec,
        types::CertificateRequest,
    },
    environment::EnvironmentSettings,
    facts::{self, CertificateFacts},
    host_claim::{Holder, HostClaims},
    kinds::CERTIFICATE,
    rules::{Policy, Requester},
    shared_cache::{self, SharedCache},
};

/// What a decision depends on.
#[derive(Clone, Debug)]
pub enum Observed {
    /// An approver has decided, or the issuer is not one of ours.
    NotOurs,
    /// A request to decide on.
    Open(Box<Open>),
}

/// A request to decide on.
#[derive(Clone, Debug)]
pub struct Open {
    /// All policies.
    pub policies: Vec<Policy>,
    /// The requester.
    pub requester: Requester,
    /// What it requires.
    pub requirements: Result<Requirements, Rejection>,
    /// An older Certificate that writes to the same Secret.
    pub older_certificate: Option<String>,
    /// The first name that another namespace holds, and its holder.
    pub taken: Option<(String, Holder)>,
}

/// Reads what the decision on `request` depends on.
pub(super) fn observe(
    request: &CertificateRequest,
    shared: &SharedCache,
    bindings: &View<CertificateBinding>,
) -> Result<Observed, ObserveError> {
    if request.status.as_ref().is_some_and(|status| status.is_decided()) {
        return Ok(Observed::NotOurs);
    }
    let policies = shared_cache::policies(shared);
    let issuer = request.spec.issuer_ref.clone().completed();
    if !shared_cache::issuers(&policies, shared).contains(&issuer) {
        return Ok(Observed::NotOurs);
    }
    let namespace = request.namespace().unwrap_or_default();
    let certificate = certificate(request, &namespace, shared)?;
    let mut requirements = requirements_from_spec::of_request(&request.spec);
    if let (Ok(requirements), Some((_, certificate))) = (&mut requirements, &certificate) {
        requirements.secret = Some(certificate.secret.clone());
        requirements.renew_before = certificate
            .requirements
            .as_ref()
            .and_then(|requirements| requirements.renew_before);
    }
    let settings = shared_cache::settings(shared);
    let binding = match certificate.as_ref().zip(requirements.as_ref().ok()) {
        Some(((_, certificate), requirements)) => {
            owning_binding(certificate, requirements, &namespace, &settings, bindings)?
        }
        None => None,
    };
    let requester = match &binding {
        Some(binding) => &binding.namespace,
        None => &namespace,
    };
    let requester = shared_cache::requester(requester, shared).ok_or_else(|| ObserveError {
        source_name: "namespaces",
        message: format!("namespace {namespace} is not in the cache yet"),
    })?;
    let claims = HostClaims {
        settings: settings.as_ref().ok(),
        policies: &policies,
        bindings,
        shared,
    };
    let taken = requirements
        .as_ref()
        .ok()
        .and_then(|requirements| taken(&requirements.names, &namespace, binding.as_ref(), &claims));
    let older_certificate = certificate
        .and_then(|(name, certificate)| older_certificate(&namespace, &name, &certificate, shared));
    Ok(Observed::Open(Box::new(Open {
        policies,
        requester,
        requirements,
        older_certificate,
        taken,
    })))
}

/// The Certificate that owns the request, if any. One of another UID means that the cache is behind.
fn certificate(
    request: &CertificateRequest,
    namespace: &str,
    shared: &SharedCache,
) -> Result<Option<(String, CertificateFacts)>, ObserveError> {
    let owner = request
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true) && owner.kind == CERTIFICATE.kind);
    let Some(owner) = owner else { return Ok(None) };
    match shared_cache::certificate(namespace, &owner.name, shared) {
        Some(certificate) if certificate.uid == owner.uid => Ok(Some((owner.name.clone(), certificate))),
        _ => Err(ObserveError {
            source_name: "certificates",
            message: format!("Certificate {namespace}/{} is not in the cache yet", owner.name),
        }),
    }
}

/// The binding that owns the certificate. If a binding may own it and the Environment is not known, no decision is made,
/// because decisions are final.
fn owning_binding(
    certificate: &CertificateFacts,
    requirements: &Requirements,
    namespace: &str,
    settings: &Result<EnvironmentSettings, Problem>,
    bindings: &View<CertificateBinding>,
) -> Result<Option<ObjectKey>, ObserveError> {
    let Some((owner_namespace, name)) = ownership::owner(certificate) else {
        return Ok(None);
    };
    let settings = settings.as_ref().map_err(|problem| ObserveError {
        source_name: "environments",
        message: problem.message.clone(),
    })?;
    let key = ObjectKey::new(owner_namespace, name);
    let binding = bindings.resource(&key);
    let belongs = binding.is_some_and(|binding| {
        ownership::belongs_to(&binding, certificate, namespace, &requirements.names, settings)
    });
    Ok(belongs.then_some(key))
}

/// The first name that another object holds. A binding can have certificates only for hosts that it holds itself. All other
/// requests cannot have hosts that another namespace holds, except those of the gateway's namespace, which serves all hosts.
fn taken(
    names: &Names,
    namespace: &str,
    binding: Option<&ObjectKey>,
    claims: &HostClaims<'_>,
) -> Option<(String, Holder)> {
    let is_gateways = claims
        .settings
        .is_some_and(|settings| settings.gateway == namespace);
    if binding.is_none() && is_gateways {
        return None;
    }
    names.dns.iter().find_map(|name| {
        let holder = match binding {
            Some(binding) => claims.holder(name, binding),
            None => claims.holder_outside(name, namespace),
        };
        Some((name.clone(), holder?))
    })
}

/// An older Certificate that writes to the same Secret.
fn older_certificate(
    namespace: &str,
    name: &str,
    certificate: &CertificateFacts,
    shared: &SharedCache,
) -> Option<String> {
    let age = |name: &str, facts: &CertificateFacts| (facts.created.clone(), name.to_owned());
    let same = shared.facts_by(CERTIFICATE, &facts::secret_term(namespace, &certificate.secret));
    same.into_iter()
        .filter(|(key, _)| key.name != name)
        .find_map(|(key, other)| {
            let other: CertificateFacts = facts::parse(&other)?;
            (age(&key.name, &other) < age(name, certificate)).then_some(key.name)
        })
}

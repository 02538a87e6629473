//! The only reads: caches -> [`Observed`].

use idp_api::CertificateBinding;
use idp_core::Problem;
use idp_runtime::{ObjectKey, ObserveError, View};
use kube::ResourceExt;

use crate::{
    certificate_request::{
        ownership,
        requirements::{Content, Flaw, Names},
        requirements_from_spec,
        types::CertificateRequest,
    },
    environment::Terms,
    facts::{self, CertificateFacts},
    host_claim::{Holder, Register},
    kinds::CERTIFICATE,
    rules::{Asker, Policy},
    shared_cache::{self, Shared},
};

/// What a decision depends on.
#[derive(Clone, Debug)]
pub enum Observed {
    /// Somebody has decided, or it is not ours to decide.
    NotOurs,
    /// A request to decide on.
    Open(Box<Open>),
}

/// A request to decide on.
#[derive(Clone, Debug)]
pub struct Open {
    /// All policies.
    pub policies: Vec<Policy>,
    /// Who asks.
    pub asker: Asker,
    /// What for.
    pub content: Result<Content, Flaw>,
    /// Another Certificate that was there before and writes to the same Secret.
    pub rival: Option<String>,
    /// The first of the names that somebody of another namespace holds, and who.
    pub held: Option<(String, Holder)>,
}

/// Collects what the decision on `request` depends on.
pub(super) fn observe(
    request: &CertificateRequest,
    shared: &Shared,
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
    let mut content = requirements_from_spec::request(&request.spec);
    if let (Ok(content), Some((_, certificate))) = (&mut content, &certificate) {
        content.secret = Some(certificate.secret.clone());
        content.renew_before = certificate
            .content
            .as_ref()
            .and_then(|content| content.renew_before);
    }
    let terms = shared_cache::terms(shared);
    let wanted = match certificate.as_ref().zip(content.as_ref().ok()) {
        Some(((_, certificate), content)) => wanted_by(certificate, content, &namespace, &terms, bindings)?,
        None => None,
    };
    let asking = wanted
        .as_ref()
        .map_or_else(|| namespace.clone(), |binding| binding.namespace.clone());
    let asker = shared_cache::asker(&asking, shared).ok_or_else(|| ObserveError {
        source_name: "namespaces",
        message: format!("namespace {asking} is not known yet"),
    })?;
    let register = Register {
        terms: terms.as_ref().ok(),
        policies: &policies,
        bindings,
        shared,
    };
    let held = content
        .as_ref()
        .ok()
        .and_then(|content| held(&content.names, &namespace, wanted.as_ref(), &register));
    let rival = certificate.and_then(|(name, certificate)| rival(&namespace, &name, &certificate, shared));
    Ok(Observed::Open(Box::new(Open {
        policies,
        asker,
        content,
        rival,
        held,
    })))
}

/// The Certificate that the request was made for, if any. It is one of the same UID, or it is not known yet.
fn certificate(
    request: &CertificateRequest,
    namespace: &str,
    shared: &Shared,
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
            message: format!("Certificate {namespace}/{} is not known yet", owner.name),
        }),
    }
}

/// The binding that really wants the certificate. Where one may and the Environment is not known, nothing is decided:
/// decisions are final.
fn wanted_by(
    certificate: &CertificateFacts,
    content: &Content,
    namespace: &str,
    terms: &Result<Terms, Problem>,
    bindings: &View<CertificateBinding>,
) -> Result<Option<ObjectKey>, ObserveError> {
    let Some((owner_namespace, name)) = ownership::owner(certificate) else {
        return Ok(None);
    };
    let terms = terms.as_ref().map_err(|problem| ObserveError {
        source_name: "environments",
        message: problem.message.clone(),
    })?;
    let key = ObjectKey::new(owner_namespace, name);
    let binding = bindings.resource(&key);
    let wanted = binding
        .is_some_and(|binding| ownership::is_wanted(&binding, certificate, namespace, &content.names, terms));
    Ok(wanted.then_some(key))
}

/// The first name that somebody else holds. A binding's Certificate is for the binding alone; everybody else is kept from
/// hosts of other namespaces. The gateway's own namespace is not: it answers for all of them.
fn held(
    names: &Names,
    namespace: &str,
    wanted: Option<&ObjectKey>,
    register: &Register<'_>,
) -> Option<(String, Holder)> {
    let is_gateways = register.terms.is_some_and(|terms| terms.gateway == namespace);
    if wanted.is_none() && is_gateways {
        return None;
    }
    names.dns.iter().find_map(|name| {
        let holder = match wanted {
            Some(binding) => register.holder(name, binding),
            None => register.elsewhere(name, namespace),
        };
        Some((name.clone(), holder?))
    })
}

/// A Certificate that was there before this one and writes to the same Secret.
fn rival(namespace: &str, name: &str, certificate: &CertificateFacts, shared: &Shared) -> Option<String> {
    let age = |name: &str, facts: &CertificateFacts| (facts.created.clone(), name.to_owned());
    let same = shared.facts_by(CERTIFICATE, &facts::secret_term(namespace, &certificate.secret));
    same.into_iter()
        .filter(|(key, _)| key.name != name)
        .find_map(|(key, other)| {
            let other: CertificateFacts = facts::parse(&other)?;
            (age(&key.name, &other) < age(name, certificate)).then_some(key.name)
        })
}

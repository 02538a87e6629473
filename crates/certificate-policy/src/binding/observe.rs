//! The only reads: caches -> [`Observed`].

use std::sync::Arc;

use idp_api::{CertificateBinding, kinds::CERTIFICATE_BINDING};
use idp_core::Problem;
use idp_runtime::{ObjectKey, ObserveError, View};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use crate::{
    environment::Terms,
    facts::{self, CertificateFacts},
    host_claim::{Holder, Register},
    kinds::{CERTIFICATE, CERTIFICATE_REQUEST},
    rules::{Asker, Policy},
    secret,
    shared_cache::{self, Shared},
};

/// What a binding's plan and status depend on.
#[derive(Clone, Debug)]
pub struct Observed {
    /// What the Environment says, or why that is not known.
    pub terms: Result<Terms, Problem>,
    /// All policies.
    pub policies: Vec<Policy>,
    /// The binding's namespace.
    pub asker: Asker,
    /// Its hosts, in the order of the spec.
    pub hosts: Vec<ObservedHost>,
}

/// What is known of one host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedHost {
    /// Another binding that holds it.
    pub holder: Option<Holder>,
    /// Whether that is one of the same application, so that both use one certificate.
    pub shared: bool,
    /// Its Certificate.
    pub certificate: Option<CertificateFacts>,
    /// Whether an approver denied that, and not just now: then it was under other policies.
    pub denied_before: bool,
}

/// How old a denied Certificate must be to be made anew: whatever denies it over and over must not keep us busy.
const DENIED_BEFORE: SignedDuration = SignedDuration::from_secs(60);

pub(super) fn observe(
    binding: &Arc<CertificateBinding>,
    view: &View<CertificateBinding>,
    shared: &Shared,
    now: Timestamp,
) -> Result<Observed, ObserveError> {
    let own = ObjectKey::of(binding.as_ref());
    let asker = shared_cache::asker(&own.namespace, shared).ok_or_else(|| ObserveError {
        source_name: "namespaces",
        message: format!("namespace {} is not known yet", own.namespace),
    })?;
    let policies = shared_cache::policies(shared);
    let terms = shared_cache::terms(shared);
    let register = Register {
        terms: terms.as_ref().ok(),
        policies: &policies,
        bindings: view,
        shared,
    };
    // Of a binding that says another one nothing is made; what it has there is shown all the same.
    let gateway = &binding.spec.secret_namespace;
    let hosts = binding.spec.hosts.iter().map(|bound| {
        let holder = register.holder(&bound.host, &own);
        let name = secret::name(&bound.host);
        // By our own cache, which knows at once when it is gone.
        let own_certificate = view.facts(CERTIFICATE, gateway, &name);
        let own_certificate = own_certificate.and_then(|facts| facts::parse::<CertificateFacts>(&facts));
        ObservedHost {
            denied_before: own_certificate.is_some_and(|certificate| {
                is_old(&certificate, now) && is_denied(&certificate, gateway, shared)
            }),
            shared: holder
                .as_ref()
                .is_some_and(|holder| same_application(binding, holder, view)),
            holder,
            certificate: shared_cache::certificate(gateway, &name, shared),
        }
    });
    let hosts = hosts.collect();
    Ok(Observed {
        hosts,
        asker,
        terms,
        policies,
    })
}

fn is_old(certificate: &CertificateFacts, now: Timestamp) -> bool {
    let created = certificate.created.parse::<Timestamp>();
    created.is_ok_and(|created| now.duration_since(created) > DENIED_BEFORE)
}

/// Whether its last attempt failed because its request was denied: of the Certificate itself that cannot be told.
fn is_denied(certificate: &CertificateFacts, namespace: &str, shared: &Shared) -> bool {
    certificate.failure.is_some()
        && shared
            .facts_by(CERTIFICATE_REQUEST, &certificate.uid)
            .iter()
            .any(|(key, request)| {
                key.namespace == namespace
                    && request["certificateUid"] == certificate.uid.as_str()
                    && request["denied"] == true
            })
}

fn same_application(binding: &CertificateBinding, holder: &Holder, view: &View<CertificateBinding>) -> bool {
    binding.namespace().as_ref() == Some(&holder.key.namespace)
        && holder.kind == CERTIFICATE_BINDING.kind
        && view
            .resource(&holder.key)
            .is_some_and(|other| other.spec.application == binding.spec.application)
}

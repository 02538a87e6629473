//! Reads the caches: resource -> [`Observed`].

use std::sync::Arc;

use idp_api::{CertificateBinding, kinds::CERTIFICATE_BINDING};
use idp_core::{ObjectKey, Problem};
use idp_runtime::{ObserveError, View};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use crate::{
    environment::EnvironmentSettings,
    facts::{self, CertificateFacts},
    host_claim::{Holder, HostClaims},
    kinds::{CERTIFICATE, CERTIFICATE_REQUEST},
    rules::{Policy, Requester},
    secret,
    shared_cache::{self, SharedCache},
};

/// What a binding's plan and status depend on besides the binding.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The Environment's settings, or why there are none.
    pub settings: Result<EnvironmentSettings, Problem>,
    /// All policies.
    pub policies: Vec<Policy>,
    /// The binding's namespace.
    pub requester: Requester,
    /// State of its hosts, in the order of the spec.
    pub hosts: Vec<ObservedHost>,
}

/// State of one host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedHost {
    /// Another binding that holds it.
    pub holder: Option<Holder>,
    /// Whether that binding is of the same application, so that both share the certificate.
    pub shared: bool,
    /// Its Certificate.
    pub certificate: Option<CertificateFacts>,
    /// Whether an approver denied it a while ago, possibly under other policies.
    pub denied_before: bool,
}

/// Minimum age of a denied Certificate to be recreated, so that repeated denials do not cause a hot loop.
const MIN_AGE_TO_RECREATE: SignedDuration = SignedDuration::from_secs(60);

pub(super) fn observe(
    binding: &Arc<CertificateBinding>,
    view: &View<CertificateBinding>,
    shared: &SharedCache,
    now: Timestamp,
) -> Result<Observed, ObserveError> {
    let own = ObjectKey::of(binding.as_ref());
    let requester = shared_cache::requester(&own.namespace, shared).ok_or_else(|| ObserveError {
        source_name: "namespaces",
        message: format!("namespace {} is not in the cache yet", own.namespace),
    })?;
    let policies = shared_cache::policies(shared);
    let settings = shared_cache::settings(shared);
    let claims = HostClaims {
        settings: settings.as_ref().ok(),
        policies: &policies,
        bindings: view,
        shared,
    };
    // A binding with another namespace is rejected, but its status still shows the certificates there.
    let gateway = &binding.spec.secret_namespace;
    let hosts = binding.spec.hosts.iter().map(|bound| {
        let holder = claims.holder(&bound.host, &own);
        let name = secret::name(&bound.host);
        // From this controller's own cache, which knows first when it is deleted.
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
        requester,
        settings,
        policies,
    })
}

fn is_old(certificate: &CertificateFacts, now: Timestamp) -> bool {
    let created = certificate.created.parse::<Timestamp>();
    created.is_ok_and(|created| now.duration_since(created) > MIN_AGE_TO_RECREATE)
}

/// Whether its last attempt failed because its request was denied. The Certificate itself does not show that.
fn is_denied(certificate: &CertificateFacts, namespace: &str, shared: &SharedCache) -> bool {
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

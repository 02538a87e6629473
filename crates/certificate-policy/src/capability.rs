//! The capability `certificates` over gRPC: plans the certificates of an application's hosts from the caches.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt, stream::BoxStream};
use idp_api::{
    CertificateBinding,
    kinds::{CERTIFICATE_BINDING, CERTIFICATE_POLICY},
};

use idp_core::{
    ObjectKey,
    capability::{Description, SectionPlan, SectionRequest},
    names::overlap,
};
use idp_rpc::capability::Capability;
use idp_runtime::View;
use kube::ResourceExt;

use crate::{
    host_claim::{Holder, HostClaims},
    kinds::NAMESPACE,
    secret,
    section::{self, Known, KnownHost, Section},
    shared_cache::{self, SharedCache},
};

/// Name of the capability.
pub const CAPABILITY: &str = "certificates";

/// The capability. It reads the caches of the controllers.
pub struct CertificateCapability {
    /// Policies, namespaces and Certificates.
    pub shared: SharedCache,
    /// Bindings.
    pub bindings: View<CertificateBinding>,
    /// Namespaces that wait for a host.
    pub waiting: Arc<Waiting>,
}

/// Namespaces that were denied a host, until the host is free. Only their plans are then renewed: otherwise a tenant that
/// repeatedly claims and releases hosts would force plans for every application of the cluster.
///
/// Namespaces beyond the limit, and those that called another replica, request a new plan within half a minute anyway.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<BTreeMap<String, BTreeSet<String>>>);

impl Waiting {
    /// Maximum number of hosts.
    const MAX_HOSTS: usize = 4096;

    fn add(&self, host: &str, namespace: &str) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < Self::MAX_HOSTS || waiting.contains_key(host) {
            let namespaces = waiting.entry(host.to_owned()).or_default();
            namespaces.insert(namespace.to_owned());
        }
    }

    /// Removes and returns the namespaces that wait for one of these hosts, or for one that overlaps.
    fn take(&self, freed: &BTreeSet<String>) -> Vec<String> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut namespaces_of_freed = BTreeSet::new();
        waiting.retain(|wanted, namespaces| {
            let is_freed = freed.iter().any(|host| overlap(host, wanted));
            if is_freed {
                namespaces_of_freed.append(namespaces);
            }
            !is_freed
        });
        namespaces_of_freed.into_iter().collect()
    }
}

impl Capability for CertificateCapability {
    fn describe(&self) -> Description {
        Description {
            name: CAPABILITY.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            section_schema: schemars::schema_for!(Section).to_value(),
        }
    }

    fn plan(&self, request: &SectionRequest) -> SectionPlan {
        let known = Known {
            policies: shared_cache::policies(&self.shared),
            labels: shared_cache::labels(&request.namespace, &self.shared).unwrap_or_default(),
        };
        let own = ObjectKey::new(request.namespace.clone(), request.application.clone());
        let settings = shared_cache::settings(&self.shared).ok();
        let claims = HostClaims {
            settings: settings.as_ref(),
            policies: &known.policies,
            bindings: &self.bindings,
            shared: &self.shared,
        };
        section::plan(request, &known, |host, gateway| {
            self.host_state(host, gateway, &own, &claims)
        })
    }

    fn watch(&self) -> BoxStream<'static, Vec<String>> {
        let policies = self.shared.changes(CERTIFICATE_POLICY).map(|_| Some(Vec::new()));
        let namespaces = self.shared.changes(NAMESPACE).map(|key| Some(vec![key.name]));
        let (hosts, waiting) = (Hosts::new(self.bindings.clone()), self.waiting.clone());
        let freed = self.bindings.changes(CERTIFICATE_BINDING).map(move |key| {
            Some(waiting.take(&hosts.freed(&key))).filter(|namespaces| !namespaces.is_empty())
        });
        futures::stream::select_all([policies.boxed(), namespaces.boxed(), freed.boxed()])
            .filter_map(|stale| async { stale })
            .boxed()
    }
}

impl CertificateCapability {
    fn host_state(&self, host: &str, gateway: &str, own: &ObjectKey, claims: &HostClaims<'_>) -> KnownHost {
        let holder = claims.holder(host, own);
        let holder = holder.filter(|holder| !self.same_application(holder, own));
        if holder.is_some() {
            self.waiting.add(host, &own.namespace);
        }
        KnownHost {
            holder,
            has_certificate: self.has_certificate(own, gateway, &secret::name(host)),
        }
    }

    fn same_application(&self, holder: &Holder, own: &ObjectKey) -> bool {
        let other = self
            .bindings
            .resource(&holder.key)
            .filter(|_| holder.kind == CERTIFICATE_BINDING.kind);
        holder.key.namespace == own.namespace && other.is_some_and(|other| other.spec.application == own.name)
    }

    /// Whether the application's binding already has the certificate.
    fn has_certificate(&self, own: &ObjectKey, gateway: &str, secret: &str) -> bool {
        let binding = self.bindings.resource(own);
        let certificate = shared_cache::certificate(gateway, secret, &self.shared);
        binding.zip(certificate).is_some_and(|(binding, certificate)| {
            certificate.is_issued() && certificate.owner_uid == binding.uid()
        })
    }
}

/// The hosts that each binding listed last, to find those that become free. Other changes of a binding affect no plan.
struct Hosts {
    view: View<CertificateBinding>,
    known: Arc<Mutex<BTreeMap<ObjectKey, BTreeSet<String>>>>,
}

impl Hosts {
    fn new(view: View<CertificateBinding>) -> Self {
        let known = view.resources().into_iter();
        let known = known.map(|binding| (ObjectKey::of(binding.as_ref()), hosts(&binding)));
        Self {
            known: Arc::new(Mutex::new(known.collect())),
            view,
        }
    }

    /// The hosts that `changed` no longer lists.
    fn freed(&self, changed: &ObjectKey) -> BTreeSet<String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.view.resource(changed).map(|binding| hosts(&binding));
        let before = match &now {
            Some(now) => known.insert(changed.clone(), now.clone()),
            None => known.remove(changed),
        };
        let now = now.unwrap_or_default();
        before.unwrap_or_default().difference(&now).cloned().collect()
    }
}

fn hosts(binding: &CertificateBinding) -> BTreeSet<String> {
    binding
        .spec
        .hosts
        .iter()
        .map(|bound| bound.host.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_namespaces_that_wait_for_a_host_are_woken() {
        let waiting = Waiting::default();
        waiting.add("shop.test", "a");
        waiting.add("shop.test", "b");
        waiting.add("other.test", "c");
        let freed = |host: &str| waiting.take(&[host.to_owned()].into());
        assert!(freed("nobodys.test").is_empty(), "no namespace waits for it");
        assert_eq!(freed("*.test"), ["a", "b", "c"]);
        assert!(freed("shop.test").is_empty(), "once");
        (0..2 * Waiting::MAX_HOSTS).for_each(|n| waiting.add(&n.to_string(), "evil"));
        assert_eq!(waiting.0.lock().unwrap().len(), Waiting::MAX_HOSTS);
    }
}

//! The capability `certificates` over gRPC: which hosts of an application may have certificates, from the caches.

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
    capability::{Description, SectionPlan, SectionRequest},
    names::overlap,
};
use idp_rpc::capability::Capability;
use idp_runtime::{ObjectKey, View};
use kube::ResourceExt;

use crate::{
    host_claim::{Holder, Register},
    kinds::NAMESPACE,
    secret,
    section::{self, Known, KnownHost, Section},
    shared_cache::{self, Shared},
};

/// Name of the capability.
pub const CAPABILITY: &str = "certificates";

/// The capability, answering from the caches of the controllers.
pub struct CertificateCapability {
    /// Policies, namespaces and Certificates.
    pub shared: Shared,
    /// Bindings.
    pub bindings: View<CertificateBinding>,
    /// Who has been told that somebody else holds a host.
    pub waiting: Arc<Waiting>,
}

/// Namespaces that were refused a host, until it is let go: they are told, and nobody else. A tenant that takes hosts and
/// lets them go would otherwise have every application of the cluster planned anew.
///
/// Whoever is not remembered looks again by itself within half a minute, as whoever asked another replica does.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<BTreeMap<String, BTreeSet<String>>>);

impl Waiting {
    /// Most hosts that are remembered.
    const MOST: usize = 4096;

    fn add(&self, host: &str, namespace: &str) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < Self::MOST || waiting.contains_key(host) {
            let namespaces = waiting.entry(host.to_owned()).or_default();
            namespaces.insert(namespace.to_owned());
        }
    }

    /// Who waits for one of these hosts, or one that overlaps. They will ask again.
    fn take(&self, freed: &BTreeSet<String>) -> Vec<String> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told = BTreeSet::new();
        waiting.retain(|wanted, namespaces| {
            let is_freed = freed.iter().any(|host| overlap(host, wanted));
            if is_freed {
                told.append(namespaces);
            }
            !is_freed
        });
        told.into_iter().collect()
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
        let terms = shared_cache::terms(&self.shared).ok();
        let register = Register {
            terms: terms.as_ref(),
            policies: &known.policies,
            bindings: &self.bindings,
            shared: &self.shared,
        };
        section::plan(request, &known, |host, gateway| {
            self.look(host, gateway, &own, &register)
        })
    }

    fn watch(&self) -> BoxStream<'static, Vec<String>> {
        let policies = self.shared.changes(CERTIFICATE_POLICY).map(|_| Some(Vec::new()));
        let namespaces = self.shared.changes(NAMESPACE).map(|key| Some(vec![key.name]));
        let (hosts, waiting) = (Hosts::new(self.bindings.clone()), self.waiting.clone());
        let freed = self
            .bindings
            .changes(CERTIFICATE_BINDING)
            .map(move |key| Some(waiting.take(&hosts.freed(&key))).filter(|told| !told.is_empty()));
        futures::stream::select_all([policies.boxed(), namespaces.boxed(), freed.boxed()])
            .filter_map(|stale| async { stale })
            .boxed()
    }
}

impl CertificateCapability {
    fn look(&self, host: &str, gateway: &str, own: &ObjectKey, register: &Register<'_>) -> KnownHost {
        let holder = register.holder(host, own);
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

    /// Whether the application's binding has the certificate already: then it is kept, whatever policies say now.
    fn has_certificate(&self, own: &ObjectKey, gateway: &str, secret: &str) -> bool {
        let binding = self.bindings.resource(own);
        let certificate = shared_cache::certificate(gateway, secret, &self.shared);
        binding.zip(certificate).is_some_and(|(binding, certificate)| {
            certificate.is_issued() && certificate.owner_uid == binding.uid()
        })
    }
}

/// The hosts that each binding named last: when one is let go, others may have it. That a binding's status changes
/// concerns no plan.
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

    /// The hosts that `changed` named before, and no more.
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
    fn only_whoever_waits_for_a_host_is_told_that_it_is_free() {
        let waiting = Waiting::default();
        waiting.add("shop.test", "a");
        waiting.add("shop.test", "b");
        waiting.add("other.test", "c");
        let freed = |host: &str| waiting.take(&[host.to_owned()].into());
        assert!(freed("nobodys.test").is_empty(), "before, all were told");
        assert_eq!(freed("*.test"), ["a", "b", "c"]);
        assert!(freed("shop.test").is_empty(), "once");
        (0..2 * Waiting::MOST).for_each(|n| waiting.add(&n.to_string(), "evil"));
        assert_eq!(waiting.0.lock().unwrap().len(), Waiting::MOST);
    }
}

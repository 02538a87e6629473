//! The controller of CertificateBindings: what it watches, and its phases.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use idp_api::{
    CertificateBinding, CertificateBindingStatus,
    kinds::{CERTIFICATE_POLICY, ENVIRONMENT},
};
use idp_core::{
    ObjectKey, Plan, Prepared, Problem,
    names::{host_terms, overlap_terms},
};
use idp_runtime::{ObserveError, Outcome, Reconcile, View, Watch};
use jiff::Timestamp;
use kube::ResourceExt;

use super::{
    observe::{self, Observed},
    plan::plan,
    status::{self, status},
    validate::{Validated, validate},
};
use crate::{
    controller_names::NAME,
    facts,
    kinds::{CERTIFICATE, NAMESPACE},
    shared_cache::SharedCache,
};

/// The controller of CertificateBindings.
pub struct CertificateBindingController {
    /// Policies, namespaces and all Certificates.
    pub shared: SharedCache,
}

impl Reconcile for CertificateBindingController {
    type Resource = CertificateBinding;
    type Observed = Observed;
    type Validated = Validated;
    type Status = CertificateBindingStatus;

    const NAME: &'static str = NAME;
    // Certificates are in the gateway's namespace, where no owner reference can delete them.
    const FINALIZER: Option<&'static str> = Some("certificates.idp.dev/release");

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::children(CERTIFICATE).elsewhere().facts(facts::certificate)]
    }

    /// The gateway's namespace, and those of the inventory, because the gateway may have been another before.
    fn child_namespaces(binding: &CertificateBinding) -> Vec<String> {
        let inventory = binding.status.iter().flat_map(|status| &status.children);
        let before = inventory.filter_map(|child| child.namespace.clone());
        before
            .chain([binding.spec.secret_namespace.clone()])
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    /// Everything that overlaps with its hosts.
    fn terms(binding: &CertificateBinding) -> Vec<String> {
        host_terms(binding.spec.hosts.iter().map(|bound| bound.host.as_str()))
    }

    fn current_status(binding: &CertificateBinding) -> Option<&CertificateBindingStatus> {
        binding.status.as_ref()
    }

    async fn observe(
        &self,
        binding: &Arc<CertificateBinding>,
        view: &View<Self::Resource>,
    ) -> Result<Observed, ObserveError> {
        observe::observe(binding, view, &self.shared, Timestamp::now())
    }

    fn validate(&self, binding: &CertificateBinding, observed: &Observed) -> Result<Validated, Vec<Problem>> {
        validate(binding, observed)
    }

    fn plan(&self, validated: &Validated) -> Result<Plan<Prepared>, Vec<Problem>> {
        Ok(plan(validated))
    }

    fn status(
        &self,
        binding: &CertificateBinding,
        observed: &Observed,
        validated: Option<&Validated>,
        outcome: &Outcome,
        now: Timestamp,
    ) -> CertificateBindingStatus {
        status(binding, observed, validated, outcome, now)
    }

    /// Bindings that list an overlapping host: one of them may wait for it.
    fn affected_by(&self, changed: &CertificateBinding, view: &View<Self::Resource>) -> Vec<ObjectKey> {
        let key = ObjectKey::of(changed);
        let terms = changed
            .spec
            .hosts
            .iter()
            .flat_map(|bound| overlap_terms(&bound.host));
        let others: BTreeSet<ObjectKey> = terms
            .flat_map(|term| view.resources_by(&term))
            .map(|other| ObjectKey::of(other.as_ref()))
            .filter(|other| *other != key)
            .collect();
        others.into_iter().collect()
    }

    /// A policy or the Environment affects every binding; a namespace, the bindings in it.
    fn triggers(&self, view: &View<Self::Resource>) -> BoxStream<'static, Vec<ObjectKey>> {
        let policies = [CERTIFICATE_POLICY, ENVIRONMENT].map(|kind| self.shared.changes(kind));
        let policies = futures::stream::select_all(policies).map(|_| String::new());
        let namespaces = self.shared.changes(NAMESPACE).map(|key| key.name);
        let view = view.clone();
        futures::stream::select(policies, namespaces)
            .map(move |namespace| {
                let affected = view.resources().into_iter().filter(|binding| {
                    namespace.is_empty() || binding.namespace().as_ref() == Some(&namespace)
                });
                affected.map(|binding| ObjectKey::of(binding.as_ref())).collect()
            })
            .boxed()
    }

    fn requeue_after(&self, status: &CertificateBindingStatus, now: Timestamp) -> Option<Duration> {
        status::recheck(status, now)
    }
}

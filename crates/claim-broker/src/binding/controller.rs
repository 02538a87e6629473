//! The controller of ClaimBindings: the kind, what it watches, and its phases. A table of contents.

use std::{sync::Arc, time::Duration};

use futures::{
    StreamExt,
    stream::{BoxStream, select, select_all},
};
use idp_api::{ClaimBinding, ClaimBindingStatus, kinds::CLAIM_CLASS};
use idp_core::{Kind, Plan, Prepared, Problem};
use idp_runtime::{Finalize, ObjectKey, ObserveError, Outcome, Reconcile, Targets, View, Watch};
use jiff::Timestamp;
use kube::ResourceExt;

use super::{
    caches::Caches,
    observe::{self, Observed},
    plan, status,
    validate::{self, Validated},
};
use crate::{
    facts,
    identity::NAME,
    kinds::{Kinds, NAMESPACE},
};

/// The controller of ClaimBindings.
#[derive(Clone)]
pub struct ClaimBindingController {
    /// The kinds of claims.
    pub kinds: Arc<Kinds>,
}

impl Reconcile for ClaimBindingController {
    type Resource = ClaimBinding;
    type Observed = Observed;
    type Validated = Validated;
    type Status = ClaimBindingStatus;

    const NAME: &'static str = NAME;
    const FINALIZER: Option<&'static str> = Some("idp.dev/claim-broker");

    fn watches(&self) -> Vec<Watch> {
        let claims = self.kinds.claims.iter().map(|kind| {
            Watch::children(*kind)
                .outlive()
                .terms(facts::namespace_of)
                .facts(facts::claim)
        });
        let related = |label: &'static str| {
            move |kind: &Kind| {
                let watch = Watch::related(*kind, Targets::Named(facts::binding_of), label);
                watch.facts(facts::resource).optional()
            }
        };
        // A composite resource has its claim's label from the start; composed resources always have their composite's.
        let composites = self.kinds.composites.iter().map(related(facts::CLAIM_NAME));
        let composed = self.kinds.composed.iter().map(related(facts::COMPOSITE));
        claims
            .chain(composites)
            .chain(composed)
            .chain([
                Watch::related(CLAIM_CLASS, Targets::All, "").facts(facts::class),
                Watch::related(NAMESPACE, Targets::Named(no_binding), "").facts(facts::namespace),
            ])
            .collect()
    }

    fn current_status(binding: &ClaimBinding) -> Option<&ClaimBindingStatus> {
        binding.status.as_ref()
    }

    async fn observe(
        &self,
        binding: &Arc<ClaimBinding>,
        view: &View<Self::Resource>,
    ) -> Result<Observed, ObserveError> {
        Ok(observe::observe(binding, &self.caches(view), Timestamp::now()))
    }

    fn validate(&self, binding: &ClaimBinding, observed: &Observed) -> Result<Validated, Vec<Problem>> {
        validate::validate(binding, observed)
    }

    fn plan(&self, binding: &Validated) -> Result<Plan<Prepared>, Vec<Problem>> {
        Ok(plan::plan(binding))
    }

    fn status(
        &self,
        binding: &ClaimBinding,
        observed: &Observed,
        validated: Option<&Validated>,
        outcome: &Outcome,
        now: Timestamp,
    ) -> ClaimBindingStatus {
        status::status(binding, observed, validated, outcome, now)
    }

    /// A binding that is deleted or released makes room in the class's quota for another.
    fn affected_by(&self, changed: &ClaimBinding, view: &View<Self::Resource>) -> Vec<ObjectKey> {
        let namespace = changed.namespace().unwrap_or_default();
        self.caches(view).bindings_without_claim(&namespace)
    }

    /// A deleted claim makes room too, and a namespace with other labels may use other classes.
    fn triggers(&self, view: &View<Self::Resource>) -> BoxStream<'static, Vec<ObjectKey>> {
        let claims = select_all(self.kinds.claims.iter().map(|kind| view.changes(*kind)));
        let (own, caches) = (self.clone(), view.clone());
        let claims = claims.map(move |claim| own.caches(&caches).bindings_without_claim(&claim.namespace));
        let (own, caches) = (self.clone(), view.clone());
        let namespaces = view.changes(NAMESPACE);
        let namespaces = namespaces.map(move |namespace| own.caches(&caches).bindings(&namespace.name));
        select(claims, namespaces).boxed()
    }

    fn requeue_after(&self, status: &ClaimBindingStatus, now: Timestamp) -> Option<Duration> {
        status::requeue_after(status, now)
    }

    /// The claim stays, with retention annotations: deleting a binding deletes no data.
    async fn finalize(
        &self,
        binding: &Arc<ClaimBinding>,
        view: &View<Self::Resource>,
    ) -> Result<Finalize<ClaimBindingStatus>, ObserveError> {
        let observed = observe::observe(binding, &self.caches(view), Timestamp::now());
        Ok(Finalize::Release(validate::release(binding, &observed)))
    }
}

impl ClaimBindingController {
    fn caches<'a>(&'a self, view: &'a View<ClaimBinding>) -> Caches<'a> {
        Caches {
            kinds: &self.kinds,
            view,
        }
    }
}

/// Labels of a namespace matter when a claim is about to be created; [`Reconcile::triggers`] requeues its bindings.
fn no_binding(_: &kube::core::DynamicObject) -> Option<ObjectKey> {
    None
}

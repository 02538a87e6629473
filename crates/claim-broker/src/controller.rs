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

use crate::{
    facts,
    kinds::{Kinds, NAMESPACE},
    observe,
    observed::Observed,
    plan, status, validate,
    validate::Validated,
};

/// Name of the process, and field manager of its claims.
pub const NAME: &str = "idp-claim-broker";

/// The controller of ClaimBindings.
#[derive(Clone)]
pub struct ClaimBindingController {
    /// What it works with.
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
        let looked_at = |label: &'static str| {
            move |kind: &Kind| {
                let watch = Watch::related(*kind, Targets::Named(facts::binding_of), label);
                watch.facts(facts::resource).optional()
            }
        };
        // A composite resource has the one label from the start, and what is composed has the other in both generations.
        let composites = self.kinds.composites.iter().map(looked_at(facts::CLAIM_NAME));
        let composed = self.kinds.composed.iter().map(looked_at(facts::COMPOSITE));
        claims
            .chain(composites)
            .chain(composed)
            .chain([
                Watch::related(CLAIM_CLASS, Targets::All, "").facts(facts::class),
                Watch::related(NAMESPACE, Targets::Named(nobody), "").facts(facts::namespace),
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
        Ok(observe::observe(binding, &self.kinds, view, Timestamp::now()))
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

    /// A binding that goes, or frees its place, lets another into the class's quota.
    fn affected_by(&self, changed: &ClaimBinding, view: &View<Self::Resource>) -> Vec<ObjectKey> {
        observe::bindings_without_claim(&changed.namespace().unwrap_or_default(), &self.kinds, view)
    }

    /// A claim that goes does so too, and a namespace that gets other labels may be allowed what it was not. (Events of
    /// this cluster, but of objects that concern bindings by rules, not by name.)
    fn triggers(&self, view: &View<Self::Resource>) -> BoxStream<'static, Vec<ObjectKey>> {
        let claims = select_all(self.kinds.claims.iter().map(|kind| view.changes(*kind)));
        let (kinds, caches) = (self.kinds.clone(), view.clone());
        let claims =
            claims.map(move |claim| observe::bindings_without_claim(&claim.namespace, &kinds, &caches));
        let caches = view.clone();
        let namespaces = view.changes(NAMESPACE);
        let namespaces = namespaces.map(move |namespace| observe::bindings(&namespace.name, &caches));
        select(claims, namespaces).boxed()
    }

    fn requeue_after(&self, status: &ClaimBindingStatus, now: Timestamp) -> Option<Duration> {
        status::recheck(status, now)
    }

    /// The claim stays, marked: with the binding goes the wish, and not the data.
    async fn finalize(
        &self,
        binding: &Arc<ClaimBinding>,
        view: &View<Self::Resource>,
    ) -> Result<Finalize<ClaimBindingStatus>, ObserveError> {
        let observed = observe::observe(binding, &self.kinds, view, Timestamp::now());
        Ok(Finalize::Release(validate::farewell(binding, &observed)))
    }
}

/// Labels of a namespace count when a claim is about to be made, which is an event of its own.
fn nobody(_: &kube::core::DynamicObject) -> Option<ObjectKey> {
    None
}

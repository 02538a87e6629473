//! The controller: the kind, what it watches, and its phases. A table of contents.

use std::{sync::Arc, time::Duration};

use idp_api::{ClaimClass, ClaimClassStatus, kinds::CLAIM_BINDING};
use idp_core::{Plan, Prepared, Problem};
use idp_runtime::{ObjectKey, ObserveError, Outcome, Reconcile, Targets, View, Watch};
use jiff::Timestamp;
use kube::core::DynamicObject;
use serde_json::Value;

use super::{
    observe::{self, Observed},
    plan, status,
    validate::{self, Validated},
};
use crate::{annotations, facts, kinds::Kinds};

/// The controller of ClaimClasses.
#[derive(Clone)]
pub struct ClaimClassController {
    /// The kinds of claims.
    pub kinds: Arc<Kinds>,
}

impl Reconcile for ClaimClassController {
    type Resource = ClaimClass;
    type Observed = Observed;
    type Validated = Validated;
    type Status = ClaimClassStatus;

    const NAME: &'static str = "idp-claim-classes";

    fn watches(&self) -> Vec<Watch> {
        let claims = self.kinds.claims.iter().map(|kind| {
            Watch::related(*kind, Targets::Named(facts::class_of), annotations::CLASS)
                .facts(retained_facts)
                .optional()
        });
        let bindings = Watch::related(CLAIM_BINDING, Targets::Named(no_class), "");
        claims.chain([bindings]).collect()
    }

    fn current_status(class: &ClaimClass) -> Option<&ClaimClassStatus> {
        class.status.as_ref()
    }

    async fn observe(
        &self,
        class: &Arc<ClaimClass>,
        view: &View<Self::Resource>,
    ) -> Result<Observed, ObserveError> {
        Ok(observe::observe(class, &self.kinds, view, Timestamp::now()))
    }

    fn validate(&self, class: &ClaimClass, observed: &Observed) -> Result<Validated, Vec<Problem>> {
        Ok(validate::validate(class, observed))
    }

    fn plan(&self, class: &Validated) -> Result<Plan<Prepared>, Vec<Problem>> {
        Ok(plan::plan(class))
    }

    fn status(
        &self,
        class: &ClaimClass,
        observed: &Observed,
        _: Option<&Validated>,
        outcome: &Outcome,
        now: Timestamp,
    ) -> ClaimClassStatus {
        status::status(class, observed, outcome, now)
    }

    fn requeue_after(&self, status: &ClaimClassStatus, now: Timestamp) -> Option<Duration> {
        status::requeue_after(status, now)
    }
}

/// Facts of a retained claim; none of a claim in use, so that its changes do not requeue the class.
fn retained_facts(claim: &DynamicObject) -> Value {
    match annotations::annotation(&claim.metadata, annotations::RELEASED_AT) {
        Some(_) => facts::claim(claim),
        None => Value::Null,
    }
}

/// A binding requeues no class: its claim does, once it is released.
fn no_class(_: &DynamicObject) -> Option<ObjectKey> {
    None
}

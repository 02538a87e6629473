//! The controller: its kind, its watches and its phases. A table of contents.

use std::{sync::Arc, time::Duration};

use idp_api::{SecretBinding, SecretBindingStatus, kinds::ENVIRONMENT};
use idp_core::{Plan, Prepared, Problem};
use idp_runtime::{ObserveError, Outcome, Reconcile, Targets, View, Watch};
use jiff::Timestamp;

use crate::{
    facts,
    identity::NAME,
    kinds::{CLUSTER_SECRET_STORE, EVENT, EXTERNAL_SECRET, PASSWORD, SECRET_STORE},
    observe::{self, Observed},
    plan, status,
    validate::{self, Validated},
    versions,
};

/// The SecretBinding controller.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SecretBindingController;

impl Reconcile for SecretBindingController {
    type Resource = SecretBinding;
    type Observed = Observed;
    type Validated = Validated;
    type Status = SecretBindingStatus;

    const NAME: &'static str = NAME;

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::children(EXTERNAL_SECRET).facts(facts::external_secret),
            Watch::children(PASSWORD),
            Watch::related(ENVIRONMENT, Targets::All, "").facts(facts::environment),
            Watch::related(CLUSTER_SECRET_STORE, Targets::All, "")
                .facts(facts::store)
                .optional(),
            // Teams may create these themselves, so they affect bindings of their own namespace only.
            Watch::related(SECRET_STORE, Targets::Namespace, "")
                .facts(facts::store)
                .optional(),
            // External Secrets reports a changed Secret by an event only: its status does not show it.
            Watch::related(EVENT, Targets::Named(facts::event_binding), "")
                .fields("involvedObject.kind=ExternalSecret")
                .facts(facts::event),
        ]
    }

    fn current_status(binding: &SecretBinding) -> Option<&SecretBindingStatus> {
        binding.status.as_ref()
    }

    async fn observe(
        &self,
        binding: &Arc<SecretBinding>,
        view: &View<Self::Resource>,
    ) -> Result<Observed, ObserveError> {
        Ok(observe::observe(binding, view)?)
    }

    fn validate(&self, binding: &SecretBinding, observed: &Observed) -> Result<Validated, Vec<Problem>> {
        validate::validate(binding, observed)
    }

    fn plan(&self, binding: &Validated) -> Result<Plan<Prepared>, Vec<Problem>> {
        plan::plan(binding)
    }

    fn status(
        &self,
        binding: &SecretBinding,
        observed: &Observed,
        _: Option<&Validated>,
        outcome: &Outcome,
        now: Timestamp,
    ) -> SecretBindingStatus {
        status::status(binding, observed, outcome, now)
    }

    fn requeue_after(&self, status: &SecretBindingStatus, now: Timestamp) -> Option<Duration> {
        versions::due(status.pending.as_ref()?, now)
    }
}

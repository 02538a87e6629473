//! The controller of `AllowedHosts`: one object, owned by the Environment.

use std::sync::Arc;

use futures::{StreamExt, stream::BoxStream};
use idp_api::{
    Environment,
    kinds::{ALLOWED_HOSTS, CERTIFICATE_POLICY},
};
use idp_core::{ObjectKey, Plan, Prepared, Problem};
use idp_runtime::{ObserveError, Outcome, Reconcile, View, Watch};
use jiff::Timestamp;

use super::{
    observe::{self, Observed},
    plan,
    status::NoStatus,
    validate::{self, Validated},
};
use crate::{controller_names, shared_cache::SharedCache};

/// The controller of `AllowedHosts`.
pub struct AdmissionController {
    /// Policies.
    pub shared: SharedCache,
}

impl Reconcile for AdmissionController {
    type Resource = Environment;
    type Observed = Observed;
    type Validated = Validated;
    type Status = NoStatus;

    const NAME: &'static str = controller_names::ADMISSION;
    /// An Environment has no status.
    const OWNS_STATUS: bool = false;

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::children(ALLOWED_HOSTS)]
    }

    fn current_status(_: &Environment) -> Option<&NoStatus> {
        Some(&NoStatus)
    }

    async fn observe(
        &self,
        _: &Arc<Environment>,
        _: &View<Self::Resource>,
    ) -> Result<Observed, ObserveError> {
        Ok(observe::observe(&self.shared))
    }

    fn validate(&self, environment: &Environment, observed: &Observed) -> Result<Validated, Vec<Problem>> {
        Ok(validate::validate(environment, observed))
    }

    fn plan(&self, validated: &Validated) -> Result<Plan<Prepared>, Vec<Problem>> {
        Ok(plan::plan(validated))
    }

    fn status(
        &self,
        _: &Environment,
        _: &Observed,
        _: Option<&Validated>,
        _: &Outcome,
        _: Timestamp,
    ) -> NoStatus {
        NoStatus
    }

    fn triggers(&self, view: &View<Self::Resource>) -> BoxStream<'static, Vec<ObjectKey>> {
        let view = view.clone();
        let all = move |_| {
            let environments = view.resources();
            environments
                .iter()
                .map(|environment| ObjectKey::of(environment.as_ref()))
                .collect()
        };
        self.shared.changes(CERTIFICATE_POLICY).map(all).boxed()
    }
}

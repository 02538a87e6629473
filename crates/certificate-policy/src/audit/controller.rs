//! The controller of policies. It writes nothing but their status.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use futures::{FutureExt, StreamExt, stream::BoxStream};
use idp_api::{CertificatePolicy, CertificatePolicyStatus, kinds};
use idp_core::{Plan, Prepared, Problem};
use idp_runtime::{ObjectKey, ObserveError, Outcome, Reconcile, Targets, View, Watch};
use jiff::Timestamp;

use super::{findings::Findings, observe, status};
use crate::{
    controller_names, facts,
    kinds::{CERTIFICATE, CERTIFICATE_REQUEST, NAMESPACE, VIRTUAL_SERVICE},
    rules::Policy,
};

/// How long changes are collected before everything is audited again.
const COLLECT: std::time::Duration = std::time::Duration::from_secs(1);

/// The controller of policies.
#[derive(Debug, Default)]
pub struct PolicyController {
    /// Counts what was collected, so that all policies share the findings of one audit.
    pub(super) epoch: Arc<AtomicU64>,
    pub(super) memo: Mutex<Option<(observe::Age, Arc<Findings>)>>,
}

impl Reconcile for PolicyController {
    type Resource = CertificatePolicy;
    type Observed = observe::Observed;
    type Validated = Policy;
    type Status = CertificatePolicyStatus;

    const NAME: &'static str = controller_names::AUDIT;

    fn watches(&self) -> Vec<Watch> {
        // Nobody is woken by these one by one: see `wakes`.
        let later = Targets::Named(|_| None);
        vec![
            Watch::related(CERTIFICATE, later, "")
                .optional()
                .terms(facts::certificate_terms)
                .facts(facts::certificate),
            Watch::related(CERTIFICATE_REQUEST, later, "")
                .optional()
                .terms(facts::request_terms)
                .facts(facts::request),
            Watch::related(kinds::CERTIFICATE_BINDING, later, "").facts(facts::binding),
            Watch::related(NAMESPACE, later, "").facts(facts::namespace),
            Watch::related(kinds::ENVIRONMENT, later, "").facts(facts::environment),
            // Whoever answers for a host at a gateway holds it, with or without a certificate from here.
            Watch::related(VIRTUAL_SERVICE, later, "")
                .optional()
                .facts(facts::virtual_service)
                .terms(facts::virtual_service_terms),
        ]
    }

    fn current_status(policy: &CertificatePolicy) -> Option<&CertificatePolicyStatus> {
        policy.status.as_ref()
    }

    async fn observe(
        &self,
        policy: &Arc<CertificatePolicy>,
        view: &View<Self::Resource>,
    ) -> Result<observe::Observed, ObserveError> {
        Ok(observe::observe(self, policy, view))
    }

    fn validate(&self, policy: &CertificatePolicy, _: &observe::Observed) -> Result<Policy, Vec<Problem>> {
        Ok(facts::policy(policy))
    }

    fn plan(&self, _: &Policy) -> Result<Plan<Prepared>, Vec<Problem>> {
        Ok(Plan::default())
    }

    fn status(
        &self,
        policy: &CertificatePolicy,
        observed: &observe::Observed,
        read: Option<&Policy>,
        _: &Outcome,
        now: Timestamp,
    ) -> CertificatePolicyStatus {
        status::status(policy, observed, read, now)
    }

    /// What one policy ceases to allow, another may be nearest to.
    fn affected_by(&self, _: &CertificatePolicy, view: &View<Self::Resource>) -> Vec<ObjectKey> {
        everyone(view)
    }

    /// Certificates and requests come in bursts. They are collected for a moment, and then all is audited once.
    fn triggers(&self, view: &View<Self::Resource>) -> BoxStream<'static, Vec<ObjectKey>> {
        let changes = [
            CERTIFICATE,
            CERTIFICATE_REQUEST,
            kinds::CERTIFICATE_BINDING,
            NAMESPACE,
            kinds::ENVIRONMENT,
        ];
        let changes = changes.map(|kind| view.changes(kind));
        let (epoch, view) = (self.epoch.clone(), view.clone());
        let changes = futures::stream::select_all(changes);
        futures::stream::unfold(changes, move |mut changes| {
            let (epoch, view) = (epoch.clone(), view.clone());
            async move {
                changes.next().await?;
                tokio::time::sleep(COLLECT).await;
                while changes.next().now_or_never().flatten().is_some() {}
                epoch.fetch_add(1, Ordering::Relaxed);
                Some((everyone(&view), changes))
            }
        })
        .boxed()
    }
}

fn everyone(view: &View<CertificatePolicy>) -> Vec<ObjectKey> {
    view.resources()
        .iter()
        .map(|policy| ObjectKey::of(policy.as_ref()))
        .collect()
}

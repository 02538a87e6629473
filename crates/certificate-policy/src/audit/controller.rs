//! The controller of CertificatePolicies. It writes only their status.

use std::sync::{Arc, atomic::Ordering};

use futures::{FutureExt, StreamExt, stream::BoxStream};
use idp_api::{CertificatePolicy, CertificatePolicyStatus, kinds};
use idp_core::{ObjectKey, Plan, Prepared, Problem};
use idp_runtime::{ObserveError, Outcome, Reconcile, Targets, View, Watch};
use jiff::Timestamp;

use super::{
    observe::{self, Observed, SharedAudit},
    status,
    validate::{self, Validated},
};
use crate::{
    controller_names, facts,
    kinds::{CERTIFICATE, CERTIFICATE_REQUEST, NAMESPACE, VIRTUAL_SERVICE},
};

/// How long changes are batched before the next audit.
const BATCH: std::time::Duration = std::time::Duration::from_secs(1);

/// The controller of CertificatePolicies.
#[derive(Debug, Default)]
pub struct PolicyController {
    audit: SharedAudit,
}

impl Reconcile for PolicyController {
    type Resource = CertificatePolicy;
    type Observed = Observed;
    type Validated = Validated;
    type Status = CertificatePolicyStatus;

    const NAME: &'static str = controller_names::AUDIT;

    fn watches(&self) -> Vec<Watch> {
        // No policy is woken by a single object: see `triggers`.
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
            // A VirtualService at a gateway holds its hosts, with or without a certificate from here.
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
        _: &Arc<CertificatePolicy>,
        view: &View<Self::Resource>,
    ) -> Result<Observed, ObserveError> {
        Ok(observe::observe(&self.audit, view))
    }

    fn validate(&self, policy: &CertificatePolicy, _: &Observed) -> Result<Validated, Vec<Problem>> {
        Ok(validate::validate(policy))
    }

    fn plan(&self, _: &Validated) -> Result<Plan<Prepared>, Vec<Problem>> {
        Ok(Plan::default())
    }

    fn status(
        &self,
        policy: &CertificatePolicy,
        observed: &Observed,
        validated: Option<&Validated>,
        _: &Outcome,
        now: Timestamp,
    ) -> CertificatePolicyStatus {
        status::status(policy, observed, validated, now)
    }

    /// All policies: what one no longer allows may be a violation of another.
    fn affected_by(&self, _: &CertificatePolicy, view: &View<Self::Resource>) -> Vec<ObjectKey> {
        all_policies(view)
    }

    /// Certificates and requests change in bursts, so their changes are batched and audited once.
    fn triggers(&self, view: &View<Self::Resource>) -> BoxStream<'static, Vec<ObjectKey>> {
        let changes = [
            CERTIFICATE,
            CERTIFICATE_REQUEST,
            kinds::CERTIFICATE_BINDING,
            NAMESPACE,
            kinds::ENVIRONMENT,
        ];
        let changes = changes.map(|kind| view.changes(kind));
        let (batch, view) = (self.audit.batch(), view.clone());
        let changes = futures::stream::select_all(changes);
        futures::stream::unfold(changes, move |mut changes| {
            let (batch, view) = (batch.clone(), view.clone());
            async move {
                changes.next().await?;
                tokio::time::sleep(BATCH).await;
                while changes.next().now_or_never().flatten().is_some() {}
                batch.fetch_add(1, Ordering::Relaxed);
                Some((all_policies(&view), changes))
            }
        })
        .boxed()
    }
}

fn all_policies(view: &View<CertificatePolicy>) -> Vec<ObjectKey> {
    view.resources()
        .iter()
        .map(|policy| ObjectKey::of(policy.as_ref()))
        .collect()
}

//! The controller of certificate requests: it writes two conditions, and nothing else.

use std::sync::{Arc, LazyLock};

use futures::{StreamExt, stream::BoxStream};
use idp_api::{
    CertificateBinding,
    kinds::{CERTIFICATE_POLICY, ENVIRONMENT},
};
use idp_core::{Plan, Prepared, Problem};
use idp_runtime::{ObjectKey, ObserveError, Outcome, Reconcile, View, Watch};
use jiff::Timestamp;

use super::{Observed, Verdict, observe, status, validate};
use crate::{
    certificate_request::types::{CertificateRequest, CertificateRequestStatus},
    controller_names,
    kinds::NAMESPACE,
    shared_cache::Shared,
};

/// The approver.
pub struct ApproverController {
    /// Policies, namespaces and Certificates.
    pub shared: Shared,
    /// Bindings, for which Certificates in the gateway's namespace are made.
    pub bindings: View<CertificateBinding>,
}

impl Reconcile for ApproverController {
    type Resource = CertificateRequest;
    type Observed = Observed;
    type Validated = Verdict;
    type Status = CertificateRequestStatus;

    const NAME: &'static str = controller_names::APPROVER;
    const OWNS_STATUS: bool = false;
    /// Whatever the API server takes: a request that is too large is denied, not left to wait, and
    /// [`Text`](crate::certificate_request::types::Text) keeps nothing of it.
    const MAX_BYTES: usize = 4 << 20;

    fn watches(&self) -> Vec<Watch> {
        Vec::new()
    }

    fn current_status(request: &CertificateRequest) -> Option<&CertificateRequestStatus> {
        // One without status is as one with an empty status: writing that would be touching what is not ours.
        static EMPTY: LazyLock<CertificateRequestStatus> = LazyLock::new(Default::default);
        Some(request.status.as_ref().unwrap_or(&EMPTY))
    }

    async fn observe(
        &self,
        request: &Arc<CertificateRequest>,
        _: &View<Self::Resource>,
    ) -> Result<Observed, ObserveError> {
        observe::observe(request, &self.shared, &self.bindings)
    }

    fn validate(&self, _: &CertificateRequest, observed: &Observed) -> Result<Verdict, Vec<Problem>> {
        Ok(validate(observed))
    }

    fn plan(&self, _: &Verdict) -> Result<Plan<Prepared>, Vec<Problem>> {
        Ok(Plan::default())
    }

    fn status(
        &self,
        request: &CertificateRequest,
        _: &Observed,
        verdict: Option<&Verdict>,
        _: &Outcome,
        now: Timestamp,
    ) -> CertificateRequestStatus {
        status::status(request, verdict, now)
    }

    /// A policy or Environment may make an issuer ours whose requests were left alone.
    fn triggers(&self, view: &View<Self::Resource>) -> BoxStream<'static, Vec<ObjectKey>> {
        let changes = [CERTIFICATE_POLICY, ENVIRONMENT, NAMESPACE].map(|kind| self.shared.changes(kind));
        let view = view.clone();
        futures::stream::select_all(changes)
            .map(move |_| {
                let undecided = view
                    .resources()
                    .into_iter()
                    .filter(|request| request.status.as_ref().is_none_or(|status| !status.is_decided()));
                undecided.map(|request| ObjectKey::of(request.as_ref())).collect()
            })
            .boxed()
    }
}

//! The controller of CertificateRequests. It writes the conditions `Approved` and `Denied`, and nothing else.

use std::sync::{Arc, LazyLock};

use futures::{StreamExt, stream::BoxStream};
use idp_api::{
    CertificateBinding,
    kinds::{CERTIFICATE_POLICY, ENVIRONMENT},
};
use idp_core::{ObjectKey, Plan, Prepared, Problem};
use idp_runtime::{ObserveError, Outcome, Reconcile, View, Watch};
use jiff::Timestamp;

use super::{
    observe::{self, Observed},
    status,
    validate::{Validated, validate},
};
use crate::{
    certificate_request::types::{CertificateRequest, CertificateRequestStatus},
    controller_names,
    kinds::NAMESPACE,
    shared_cache::SharedCache,
};

/// The approver.
pub struct ApproverController {
    /// Policies, namespaces and Certificates.
    pub shared: SharedCache,
    /// Bindings, which own Certificates in the gateway's namespace.
    pub bindings: View<CertificateBinding>,
}

impl Reconcile for ApproverController {
    type Resource = CertificateRequest;
    type Observed = Observed;
    type Validated = Validated;
    type Status = CertificateRequestStatus;

    const NAME: &'static str = controller_names::APPROVER;
    const OWNS_STATUS: bool = false;
    /// As large as the API server accepts: a request that is too large must be denied, not ignored.
    /// [`Text`](crate::certificate_request::types::Text) drops its contents.
    const MAX_BYTES: usize = 4 << 20;

    fn watches(&self) -> Vec<Watch> {
        Vec::new()
    }

    fn current_status(request: &CertificateRequest) -> Option<&CertificateRequestStatus> {
        // A missing status counts as an empty one, so that it is not written.
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

    fn validate(&self, _: &CertificateRequest, observed: &Observed) -> Result<Validated, Vec<Problem>> {
        Ok(validate(observed))
    }

    fn plan(&self, _: &Validated) -> Result<Plan<Prepared>, Vec<Problem>> {
        Ok(Plan::default())
    }

    fn status(
        &self,
        request: &CertificateRequest,
        _: &Observed,
        validated: Option<&Validated>,
        _: &Outcome,
        now: Timestamp,
    ) -> CertificateRequestStatus {
        status::status(request, validated, now)
    }

    /// A change of a policy, the Environment or a namespace may make an issuer ours whose requests were ignored.
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

//! The capability `claims` over gRPC: plans of sections, from the caches.

mod changes;
mod observe;

use std::sync::Arc;

use futures::stream::BoxStream;
use idp_api::ClaimBinding;
use idp_core::capability::{Description, SectionPlan, SectionRequest};
use idp_rpc::capability::Capability;
use idp_runtime::View;

use crate::{binding::caches::Caches, identity::CAPABILITY, kinds::Kinds, section};

/// The claims capability.
pub(crate) struct ClaimCapability {
    /// The caches of the controller of ClaimBindings.
    pub(crate) view: View<ClaimBinding>,
    /// The kinds of claims.
    pub(crate) kinds: Arc<Kinds>,
}

impl Capability for ClaimCapability {
    fn describe(&self) -> Description {
        Description {
            name: CAPABILITY.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            section_schema: section::schema(),
        }
    }

    fn plan(&self, request: &SectionRequest) -> SectionPlan {
        let caches = Caches {
            kinds: &self.kinds,
            view: &self.view,
        };
        section::plan(request, &observe::known(&request.namespace, &caches))
    }

    fn watch(&self) -> BoxStream<'static, Vec<String>> {
        changes::stale_namespaces(self.view.clone(), self.kinds.clone())
    }
}

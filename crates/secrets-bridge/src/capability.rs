//! The capability `secrets` over gRPC.

use futures::{StreamExt, stream::BoxStream};
use idp_core::capability::{Description, SectionPlan, SectionRequest};
use idp_rpc::capability::Capability;

use crate::{identity::CAPABILITY, section};

/// The secrets capability.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SecretsCapability;

impl Capability for SecretsCapability {
    fn describe(&self) -> Description {
        Description {
            name: CAPABILITY.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            section_schema: section::schema(),
        }
    }

    fn plan(&self, request: &SectionRequest) -> SectionPlan {
        section::plan(request)
    }

    /// Never reports a change: a plan depends on nothing but the request.
    fn watch(&self) -> BoxStream<'static, Vec<String>> {
        futures::stream::pending().boxed()
    }
}

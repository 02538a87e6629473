//! What the platform's capabilities answer, from what is known of them: files, or a cluster.

use std::collections::BTreeSet;

use idp_certificate_policy::section::{self as certificates, KnownHost};
use idp_claim_broker::section as claims;
use idp_core::capability::{SectionPlan, SectionRequest};
use idp_webapp::capabilities::{CERTIFICATES, CLAIMS, SECRETS};

/// What the capabilities know of one namespace.
#[derive(Default)]
pub(crate) struct Knowledge {
    /// Of claims; absent where nobody serves them.
    pub(crate) claims: Option<claims::Known>,
    /// Of certificates; absent where nobody serves them.
    pub(crate) certificates: Option<certificates::Known>,
    /// Hosts whose certificates the namespace's applications have.
    pub(crate) issued: BTreeSet<String>,
}

impl Knowledge {
    /// What the capability of this name answers, by the same function that its controller calls. Hosts that another
    /// application holds are the WebApplication controller's concern too, so nothing is said of them here.
    pub(crate) fn ask(&self, name: &str, request: &SectionRequest) -> Option<SectionPlan> {
        match name {
            SECRETS => Some(idp_secrets_bridge::section::plan(request)),
            CLAIMS => Some(claims::plan(request, self.claims.as_ref()?)),
            CERTIFICATES => {
                let look = |host: &str, _gateway: &str| KnownHost {
                    holder: None,
                    has_certificate: self.issued.contains(host),
                };
                Some(certificates::plan(request, self.certificates.as_ref()?, look))
            }
            _ => None,
        }
    }
}

//! Plans of the platform's capabilities, from the contents of files or a cluster.

use std::collections::BTreeSet;

use idp_certificate_policy::section::{self as certificates, KnownHost};
use idp_claim_broker::section as claims;
use idp_core::capability::{SectionPlan, SectionRequest};
use idp_webapp::capabilities::{CERTIFICATES, CLAIMS, SECRETS};

/// State that the capabilities use, for one namespace.
#[derive(Default)]
pub(crate) struct Knowledge {
    /// For claims; `None` if the capability is not deployed.
    pub(crate) claims: Option<claims::Known>,
    /// For certificates; `None` if the capability is not deployed.
    pub(crate) certificates: Option<certificates::Known>,
    /// Hosts for which the namespace's applications have certificates.
    pub(crate) issued: BTreeSet<String>,
}

impl Knowledge {
    /// The plan of a capability, from the same function that its controller calls. Conflicts of hosts between
    /// applications are left to the WebApplication controller, which reports them too.
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

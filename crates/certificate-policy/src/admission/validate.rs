//! (Environment, [`Observed`]) -> [`Validated`]. Pure.

use idp_api::{AllowedHostsSpec, Environment, environment::GatewayMode};
use kube::ResourceExt;

use super::{
    grants::{grants, hosts},
    observe::Observed,
};
use crate::certificate_request::requirements::Issuer;

/// The `AllowedHosts` of an Environment.
#[derive(Clone, Debug, Default)]
pub struct Validated {
    /// Name of the Environment and of its `AllowedHosts`.
    pub environment: String,
    /// Absent if the Environment has no gateway.
    pub allowed: Option<AllowedHostsSpec>,
}

/// Computes what the API server checks hosts against.
pub(super) fn validate(environment: &Environment, observed: &Observed) -> Validated {
    Validated {
        environment: environment.name_any(),
        allowed: allowed(environment, observed),
    }
}

fn allowed(environment: &Environment, observed: &Observed) -> Option<AllowedHostsSpec> {
    let spec = &environment.spec;
    if spec.gateway.mode == GatewayMode::None {
        return None;
    }
    // The platform orders certificates only if each application has its own Gateway.
    let grants = spec
        .certificates
        .as_ref()
        .filter(|_| spec.gateway.mode == GatewayMode::Dedicated)
        .and_then(|certificates| grants(&observed.policies, &Issuer::from(certificates)));
    Some(AllowedHostsSpec {
        base_domain: spec.base_domain.clone(),
        shared_gateway: spec
            .gateway
            .shared
            .clone()
            .filter(|_| spec.gateway.mode == GatewayMode::Shared),
        hosts: hosts(&spec.hosts, &spec.base_domain),
        orders_certificates: grants.is_some(),
        grants: grants.unwrap_or_default(),
    })
}

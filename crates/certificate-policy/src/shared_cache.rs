//! The caches of policies, namespaces and issuers that all controllers of this process share, so that they never decide
//! by different versions of a policy.

use std::collections::{BTreeMap, BTreeSet};

use idp_api::{CertificatePolicy, kinds::ENVIRONMENT};
use idp_core::Problem;
use idp_runtime::View;

use crate::{
    certificate_request::requirements::Issuer,
    environment::EnvironmentSettings,
    facts::{self, CertificateFacts},
    kinds::{CERTIFICATE, NAMESPACE},
    rules::{self, Policy, Requester},
};

/// The caches of the controller of policies.
pub type SharedCache = View<CertificatePolicy>;

/// All policies, sorted by name.
pub fn policies(shared: &SharedCache) -> Vec<Policy> {
    let resources = shared.resources();
    let lasting = resources
        .iter()
        .filter(|policy| policy.metadata.deletion_timestamp.is_none());
    rules::policies(lasting.map(AsRef::as_ref))
}

/// The issuers whose requests this process decides: those that a policy or the Environment names.
pub fn issuers(policies: &[Policy], shared: &SharedCache) -> BTreeSet<Issuer> {
    let named = policies.iter().flat_map(Policy::issuers).cloned();
    let environments = shared.all_facts(ENVIRONMENT);
    let environments = environments
        .iter()
        .filter_map(|(_, facts)| facts::environment_facts(facts).ok()?.issuer());
    named.chain(environments).collect()
}

/// A namespace as requester; absent while it is not in the cache.
pub fn requester(namespace: &str, shared: &SharedCache) -> Option<Requester> {
    Some(Requester {
        namespace: namespace.to_owned(),
        labels: labels(namespace, shared)?,
    })
}

/// Labels of a namespace; absent while it is not in the cache.
pub fn labels(namespace: &str, shared: &SharedCache) -> Option<BTreeMap<String, String>> {
    facts::parse(&*shared.facts(NAMESPACE, "", namespace)?)
}

/// The Environment's settings.
///
/// # Errors
/// The problem, if the cluster does not have exactly one Environment, or it cannot be read.
pub fn settings(shared: &SharedCache) -> Result<EnvironmentSettings, Problem> {
    EnvironmentSettings::of(&shared.all_facts(ENVIRONMENT))
}

/// Facts of a Certificate.
pub fn certificate(namespace: &str, name: &str, shared: &SharedCache) -> Option<CertificateFacts> {
    facts::parse(&*shared.facts(CERTIFICATE, namespace, name)?)
}

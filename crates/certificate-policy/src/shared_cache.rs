//! What all controllers of this process know together: policies, namespaces, issuers. It is read from the caches of
//! one of them, so that they never decide by different versions of a policy.

use std::collections::{BTreeMap, BTreeSet};

use idp_api::{CertificatePolicy, kinds::ENVIRONMENT};
use idp_core::Problem;
use idp_runtime::View;

use crate::{
    certificate_request::requirements::Issuer,
    environment::Terms,
    facts::{self, CertificateFacts},
    kinds::{CERTIFICATE, NAMESPACE},
    rules::{Asker, Policy},
};

/// The caches.
pub type Shared = View<CertificatePolicy>;

/// All policies, by name.
pub fn policies(shared: &Shared) -> Vec<Policy> {
    let resources = shared.resources();
    let lasting = resources
        .iter()
        .filter(|policy| policy.metadata.deletion_timestamp.is_none());
    facts::policies(lasting.map(AsRef::as_ref))
}

/// The issuers whose requests are decided here: those that a policy or the Environment names.
pub fn issuers(policies: &[Policy], shared: &Shared) -> BTreeSet<Issuer> {
    let named = policies.iter().flat_map(Policy::issuers).cloned();
    let environments = shared.all_facts(ENVIRONMENT);
    let environments = environments
        .iter()
        .filter_map(|(_, facts)| facts::environment_facts(facts).ok()?.issuer());
    named.chain(environments).collect()
}

/// A namespace as one who asks; absent while it is not known.
pub fn asker(namespace: &str, shared: &Shared) -> Option<Asker> {
    Some(Asker {
        namespace: namespace.to_owned(),
        labels: labels(namespace, shared)?,
    })
}

/// Labels of a namespace; absent while it is not known.
pub fn labels(namespace: &str, shared: &Shared) -> Option<BTreeMap<String, String>> {
    facts::parse(&*shared.facts(NAMESPACE, "", namespace)?)
}

/// What the cluster's Environment says of certificates.
///
/// # Errors
/// The problem: there is none, there are several, or it cannot be read.
pub fn terms(shared: &Shared) -> Result<Terms, Problem> {
    Terms::of(&shared.all_facts(ENVIRONMENT))
}

/// A Certificate.
pub fn certificate(namespace: &str, name: &str, shared: &Shared) -> Option<CertificateFacts> {
    facts::parse(&*shared.facts(CERTIFICATE, namespace, name)?)
}

//! Calls capabilities for the plans of the application's sections.

use std::collections::BTreeMap;

use futures::future::join_all;
use idp_api::{EnvironmentSpec, WebApplication};
use idp_runtime::{FactsError, ObjectKey};

use super::{Caches, the_one};
use crate::{
    capabilities::{Address, Answer, BindingFacts, Capabilities, Section, section_request, sections},
    kinds::{CLAIM_BINDING, SERVICE},
};

/// Addresses of the Services of capabilities. Services without ports have none.
pub(super) fn services(view: &Caches) -> Result<Vec<(String, Address)>, FactsError> {
    let services: Vec<(ObjectKey, Option<Address>)> = view.read_related(SERVICE)?;
    let services = services.into_iter();
    Ok(services
        .filter_map(|(key, address)| Some((key.namespace, address?)))
        .collect())
}

/// The sections of `app`.
pub(super) fn sections_of(
    app: &WebApplication,
    environment: &EnvironmentSpec,
    bindings: &[BindingFacts],
) -> Vec<Section> {
    let has_claims = bindings.iter().any(|binding| binding.kind == CLAIM_BINDING.kind);
    sections(app, environment, has_claims)
}

/// Calls every capability that the application needs, concurrently.
pub(super) async fn answers(
    app: &WebApplication,
    environments: &BTreeMap<String, EnvironmentSpec>,
    bindings: &[BindingFacts],
    capabilities: &Capabilities,
) -> BTreeMap<String, (Section, Answer)> {
    let Some((name, environment)) = the_one(environments) else {
        return BTreeMap::new();
    };
    let calls = sections_of(app, environment, bindings)
        .into_iter()
        .map(|section| async move {
            let request = section_request(app, name, environment, &section);
            let answer = capabilities.plan(&section.capability, &request).await?;
            Some((section.path.clone(), (section, answer)))
        });
    join_all(calls).await.into_iter().flatten().collect()
}

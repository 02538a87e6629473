//! The state of bindings, one condition for each kind.

use idp_core::{Applied, Kind, Plan, Problem};
use serde::Deserialize;

use super::concern::Concern;
use crate::{capabilities::BindingFacts, kinds};

/// The condition for each kind of binding.
const SUPPLIES_READY: [(Kind, &str); 4] = [
    (kinds::SECRET_BINDING, "SecretsReady"),
    (kinds::CERTIFICATE_BINDING, "CertificatesReady"),
    (kinds::CLAIM_BINDING, "ClaimsReady"),
    (kinds::CAPABILITY_BINDING, "CapabilitiesReady"),
];

/// The state of the bindings of one kind.
pub(super) struct Supply {
    pub(super) condition: &'static str,
    pub(super) concern: Concern,
    /// Whether the application waits for it. If it existed once and fails now, the application still works.
    pub(super) awaited: bool,
    pub(super) problems: Vec<Problem>,
}

/// The state of the existing bindings. [`crate::capabilities`] created their facts from the same type, so they always
/// parse.
pub(super) fn supplies(plan: &Plan<Applied>) -> Vec<Supply> {
    let facts = |kind: Kind| -> Vec<BindingFacts> {
        let children = plan.children.iter().filter(|child| child.kind == kind);
        children
            .filter_map(|child| BindingFacts::deserialize(&child.facts).ok())
            .collect()
    };
    SUPPLIES_READY
        .into_iter()
        .filter_map(|(kind, condition)| {
            let bindings = facts(kind);
            let failing = bindings
                .iter()
                .find(|binding| !binding.ready || !binding.observed);
            let concern = match failing {
                None => {
                    let first = bindings.first()?;
                    Concern::new(true, &first.reason, &first.message)
                }
                Some(binding) if binding.reason.is_empty() || !binding.observed => Concern::new(
                    false,
                    "Preparing",
                    format!("{kind} {} is not ready yet.", binding.name),
                ),
                Some(binding) => Concern::new(false, &binding.reason, &binding.message),
            };
            Some(Supply {
                condition,
                concern,
                awaited: bindings
                    .iter()
                    .any(|binding| binding.version.is_none() || !binding.observed),
                problems: bindings
                    .into_iter()
                    .flat_map(|binding| binding.problems)
                    .collect(),
            })
        })
        .collect()
}
